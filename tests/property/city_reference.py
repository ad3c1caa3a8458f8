"""What registry and inboxes should hold, in plain Python; nothing of the product is used here.

A row is a dict. `ORDER` of a row says which of two rows of one key is the newer one: the source's
sequence, its time of change, or file and line. Functions `f01` to `f08` are the agreements of
`tests.property.city` said a second time: each gives the rows that its consumer should hold now.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

Row = dict[str, Any]
Key = tuple[Any, ...]
ORDER = "_order"

KEYS = {
    "hrss/person": ("person_id18",),
    "hrss/card": ("card_no",),
    "hrss/payment": ("pay_id",),
    "hrss/consent": ("consent_id",),
    "health/death": ("person_id18",),
    "transport/event": ("event_id",),
}
CODES = {
    "status": ("1", "2", "3"),
    "card_status": ("0", "1", "2", "3", "4", "9"),
    "fin_status": ("0", "1", "2", "3", "4", "9"),
    "pay_status": ("0", "1", "2", "3", "4"),
    "consent_kind": ("1", "2"),
    "kind": ("0", "1"),
}


def good(row: Row, now: datetime) -> bool:
    """Whether the contract takes the row."""
    coded = all(row[name] in codes for name, codes in CODES.items() if name in row)
    return coded and not ("happened_at" in row and row["happened_at"] > now)


@dataclass
class Registry:
    """What should be published: per dataset the rows that are there, by key.

    Attributes:
        rows: the newest good row of each key, deleted ones among them.
        gone: keys of deleted rows.
        refused: of each record the newest row that the contract does not take.
    """

    rows: dict[str, dict[Key, Row]] = field(default_factory=lambda: {d: {} for d in KEYS})
    gone: dict[str, set[Key]] = field(default_factory=lambda: {d: set() for d in KEYS})
    refused: dict[str, dict[Key, Row]] = field(default_factory=lambda: {d: {} for d in KEYS})

    def collect(self, dataset: str, found: Iterable[Row], now: datetime) -> None:
        """The newest good row of each key counts, unless a newer one is published."""
        known, refused = self.rows[dataset], self.refused[dataset]
        for row in sorted(found, key=lambda r: r[ORDER]):
            key = tuple(row[n] for n in KEYS[dataset])
            if not good(row, now):
                if key not in refused or row[ORDER] >= refused[key][ORDER]:
                    refused[key] = row
            elif key not in known or row[ORDER] >= known[key][ORDER]:
                known[key] = row
                self.gone[dataset].discard(key)

    def waiting(self, dataset: str) -> list[Row]:
        """Refused rows than which nothing newer of their record was taken: a person may ask for them."""
        known, refused = self.rows[dataset], self.refused[dataset]
        return [r for k, r in refused.items() if k not in known or known[k][ORDER] < r[ORDER]]

    def reconcile(self, dataset: str, found: list[Row], now: datetime) -> None:
        """As `collect`, and what the source has no row of is deleted."""
        self.collect(dataset, found, now)
        there = {tuple(r[n] for n in KEYS[dataset]) for r in found}
        self.gone[dataset] |= self.rows[dataset].keys() - there

    def live(self, dataset: str) -> list[Row]:
        """The rows that are not deleted."""
        return [r for k, r in self.rows[dataset].items() if k not in self.gone[dataset]]

    def of(self, dataset: str, **values: Any) -> list[Row]:
        """Rows that are not deleted and have these values."""
        return [r for r in self.live(dataset) if all(r[n] == v for n, v in values.items())]


@dataclass
class Expected:
    """What consumers should hold.

    Attributes:
        registry: what is published.
        today: the hub's day.
        token_key: of a consumer, now.
        wide: of the text of `f01` in force: how many statuses it is about, whether it tells the day.
    """

    registry: Registry
    today: date
    token_key: Callable[[str], bytes]
    wide: tuple[int, bool]

    def rows(self, agreement: str) -> dict[Key, Row]:
        """By the agreement's key, values as text; two different rows of one key would be an error."""
        found: dict[Key, Row] = {}
        give: Callable[[], Iterator[Row]] = getattr(self, agreement[:3])
        for row in give():
            texts = {n: "" if v is None else str(v) for n, v in row.items()}
            key = tuple(texts[n] for n in AGREEMENT_KEYS[agreement])
            assert found.setdefault(key, texts) == texts
        return found

    def f01(self) -> Iterator[Row]:
        """Residents by status; names masked."""
        statuses, told = self.wide
        for p in self.registry.live("hrss/person"):
            if p["status"] in ("1", "2")[:statuses]:
                name = p["person_name"]
                masked = name[0] + "*" * (len(name) - 1)
                row = {"person_id18": p["person_id18"], "person_name": masked}
                changed = {"changed_on": p["changed_at"].date().isoformat()} if told else {}
                yield {**row, "status": p["status"], **changed}

    def f02(self) -> Iterator[Row]:
        """Payments to an activated account at the bank, whichever of the payee's cards has it."""
        for pay in self.registry.live("hrss/payment"):
            who, account = pay["person_id18"], pay["bank_account"]
            cards = self.registry.of("hrss/card", person_id18=who, bank_account=account)
            active = [c for c in cards if (c["bank_code"], c["fin_status"]) == ("102", "2")]
            if pay["pay_status"] in ("0", "1") and active and not self.ended(who):
                yield {n: pay[n] for n in ("pay_id", "bank_account", "amount")}

    def f03(self) -> Iterator[Row]:
        """Events of cards with the card's present status."""
        for event in self.registry.live("transport/event"):
            for card in self.registry.of("hrss/card", card_no=event["card_no"]):
                row = {n: event[n] for n in ("event_id", "note")}
                yield {**row, "card_status": card["card_status"]}

    def f04(self) -> Iterator[Row]:
        """Who has an activated account: yes, or nothing."""
        for p in self.registry.live("hrss/person"):
            who = p["person_id18"]
            active = self.registry.of("hrss/card", person_id18=who, fin_status="2")
            if active and not self.ended(who):
                yield {"person_id18": who, "active": "1"}

    def f05(self) -> Iterator[Row]:
        """Who consents: the newest record decides, a child's by a guardian; under a token."""
        for p in self.registry.live("hrss/person"):
            who = p["person_id18"]
            given = self.registry.of("hrss/consent", person_id18=who, agreement=CONSENTED)
            newest = max(given, key=lambda c: c["given_at"], default=None)
            if newest is None or newest["withdrawn_at"] is not None or self.ended(who):
                continue
            if self.age(who) >= 14 or newest["consent_kind"] == "2":
                yield {"person": self.token("education", who), "status": p["status"]}

    def f06(self) -> Iterator[Row]:
        """Who is old enough: yes, or nothing; under a token."""
        for p in self.registry.live("hrss/person"):
            who = p["person_id18"]
            if p["status"] == "1" and self.age(who) >= ELDER and not self.ended(who):
                yield {"person": self.token("transport", who), "elder": "1"}

    def f07(self) -> Iterator[Row]:
        """Cards, but for those of children: there are no rules for them."""
        for card in self.registry.live("hrss/card"):
            if self.age(card["person_id18"]) >= 14:
                yield {n: card[n] for n in ("card_no", "card_status")}

    def f08(self) -> Iterator[Row]:
        """Events of one kind with the bank of the card."""
        for event in self.registry.of("transport/event", kind="1"):
            for card in self.registry.of("hrss/card", card_no=event["card_no"], bank_code="102"):
                if not self.ended(card["person_id18"]):
                    yield {"event_id": event["event_id"], "fin_status": card["fin_status"]}

    def ended(self, who: str) -> bool:
        """Whether the person died, or holds cards and all are cancelled."""
        cards = [c["card_status"] for c in self.registry.of("hrss/card", person_id18=who)]
        dead = bool(self.registry.of("health/death", person_id18=who))
        return dead or (bool(cards) and all(status == "9" for status in cards))

    def age(self, who: str) -> int:
        """Years completed; who was born on 29 February completes one on 1 March."""
        birth = (int(who[6:10]), int(who[10:12]), int(who[12:14]))
        return self.today.year - birth[0] - ((self.today.month, self.today.day) < birth[1:])

    def token(self, consumer: str, who: str) -> str:
        """The keyed token of an ID number."""
        digest = hmac.new(self.token_key(consumer), f"v1|{who}".encode(), hashlib.sha256).digest()
        return base64.b32encode(digest)[:26].decode()


ELDER = 62
CONSENTED = "f05-hrss-education-consent"
AGREEMENT_KEYS = {
    "f01-hrss-insurance-person": ("person_id18",),
    "f02-hrss-bank-payment": ("pay_id",),
    "f03-transport-hrss-event": ("event_id",),
    "f04-hrss-fund-active": ("person_id18",),
    CONSENTED: ("person",),
    "f06-hrss-transport-elder": ("person",),
    "f07-hrss-health-card": ("card_no",),
    "f08-transport-bank-event": ("event_id",),
}
TELLS_DELETES = AGREEMENT_KEYS.keys() - {"f02-hrss-bank-payment", "f07-hrss-health-card"}
IGNORED = {"f08-transport-bank-event": ("fin_status",)}
"""Columns of a joined row whose change alone sends nothing (`on_change: ignore`)."""
