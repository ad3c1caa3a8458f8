"""What the stewards' reports must say, computed a second way: raw rows of the ledger, plain loops.

Nothing of `quality.reports` is imported; weights and mappings are read from its YAML as plain data.
Formulas: DOMAIN section 6. Days are days of Asia/Shanghai.
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import date, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import chinese_calendar
import psycopg
import yaml
from psycopg.rows import dict_row

from schemas.models.catalogue import Catalogue

ZONE = ZoneInfo("Asia/Shanghai")
SCHEME: dict[str, Any] = yaml.safe_load(
    (Path(__file__).parents[2] / "quality/reports/scheme.yaml").read_text(encoding="utf-8")
)
REACTION: dict[str, Any] = yaml.safe_load(
    (Path(__file__).parents[2] / "schemas/reaction.yaml").read_text(encoding="utf-8")
)
MILLISECOND, HALF = timedelta(milliseconds=1), timedelta(microseconds=500)
TERMS = ("rows_read", "published", "unchanged", "quarantined", "deduplicated")
CARDS = "hrss/card_status_event"
PROMISED_MS = 800
"""What the four flows promise."""
REFUSED_BY = {
    "identity": ("40", "41", "42", "44"),
    "permission": ("60", "61", "62"),
    "purpose": ("64",),
    "case": ("65",),
    "misuse": ("73",),
    "quota": ("66", "67", "68", "69"),
    "privacy": ("72",),
}
"""Rules by the codes of docs/asking.md; those that the tests' city has."""
LEVELS: dict[str, Any] = yaml.safe_load(
    (Path(__file__).parents[2] / "schemas/service_levels.yaml").read_text(encoding="utf-8")
)
OPEN = ("held", "purged")
Row = dict[str, Any]
Numbers = dict[str, Any]

TABLES = {
    "transfer": "SELECT * FROM ledger.transfer",
    "rule": "SELECT * FROM ledger.rule_count",
    "finding": "SELECT * FROM ledger.finding ORDER BY transfer",
    "privacy": "SELECT * FROM ledger.privacy_result",
    "county": "SELECT transfer, county, rows_read AS n, quarantined AS bad FROM ledger.county_count",
    "receipt": "SELECT transfer, body FROM ledger.receipt",
    "incident": "SELECT transfer FROM ledger.incident",
    "record": "SELECT first_transfer AS transfer, dataset, agreement, status FROM quarantine.record",
    "rejected": "SELECT * FROM quarantine.record WHERE agreement IS NULL",
    "ticket": "SELECT * FROM ledger.ticket",
    "delivered": "SELECT * FROM ledger.delivered",
    "took": "SELECT * FROM ledger.reaction ORDER BY agreement, kind, bucket",
    "late": "SELECT * FROM ledger.reaction_breach",
    "call": "SELECT * FROM ledger.question_time",
    "refusal": "SELECT * FROM ledger.question_refusal",
    "inbox": "SELECT * FROM ledger.reconciliation WHERE kind = 'agreement' ORDER BY id",
    "suspension": "SELECT * FROM ledger.operator_suspension ORDER BY id",
    "event": "SELECT _version, event_type, effective_at FROM registry.hrss__card_status_event",
}


def day_of(at: datetime | None) -> Any:
    return at and at.astimezone(ZONE).date()


def end_of(month: date) -> date:
    return date(month.year + month.month // 12, month.month % 12 + 1, 1)


def start_before(month: date) -> date:
    return (month - timedelta(days=1)).replace(day=1)


class Oracle:
    """All rows of a ledger, and the numbers of a scope in a span of days."""

    def __init__(self, address: str, known: Catalogue, now: datetime) -> None:
        self.known, self.now = known, now
        with psycopg.connect(address, row_factory=dict_row) as connection:
            self.rows: dict[str, list[Row]] = {
                name: connection.execute(text).fetchall() for name, text in TABLES.items()
            }
        self._known_numbers: dict[tuple[str, date, date], Numbers] = {}
        self.transfers = {t["id"]: t for t in self.rows["transfer"]}
        self.rows["privacy"] = self._privacy()
        for t in self.transfers.values():
            t["day"] = t["hub_time"].astimezone(ZONE).date()
        for name in ("rule", "finding", "privacy", "county", "receipt", "incident", "record"):
            self.rows[name] = [
                self.transfers[r["transfer"]]
                | r
                | {"state": self.transfers[r["transfer"]]["status"]}
                for r in self.rows[name]
            ]

    def _privacy(self) -> list[Row]:
        """What rules found: of confirmed deliveries by their receipts, of others by their rows."""
        signed: list[Row] = []
        for receipt in self.rows["receipt"]:
            if self.transfers[receipt["transfer"]]["status"] == "confirmed":
                for name, (outcome, checked, hits) in json.loads(receipt["body"])["rules"].items():
                    found = {"rule": name, "outcome": outcome, "checked": checked, "hits": hits}
                    signed.append({"transfer": receipt["transfer"], "action": "", **found})
        told = {r["transfer"] for r in signed}
        return signed + [r for r in self.rows["privacy"] if r["transfer"] not in told]

    def scope(self, agency: str) -> tuple[list[str], list[str]]:
        """Of an agency, the bureau, or one dataset by itself."""
        datasets = [d for d in self.known.contracts if agency in ("bureau", d.split("/")[0], d)]
        served = [
            a.id for a in self.known.agreements.values() if a.dataset in datasets and a.delivered
        ]
        return sorted(datasets), sorted(served)

    def days(self, month: date) -> int:
        first = min(t["day"] for t in self.transfers.values())
        day, last, count = month, min(self.now.date(), end_of(month) - timedelta(days=1)), 0
        while day <= last:
            count += day >= first
            day += timedelta(days=1)
        return count

    def numbers(self, agency: str, start: date, end: date) -> Numbers:
        """Every number of one scope of the days from `start` to `end` (excluded)."""
        asked = (agency, start, end)
        if asked not in self._known_numbers:
            self._known_numbers[asked] = self._numbers(agency, start, end)
        return self._known_numbers[asked]

    def _numbers(self, agency: str, start: date, end: date) -> Numbers:
        datasets, served = self.scope(agency)
        n: Numbers = {"days": self.days(start.replace(day=1))}
        within = [t for t in self.transfers.values() if start <= t["day"] < end]
        live = [t for t in within if not t["replay"]]
        of: dict[str, list[Row]] = defaultdict(list)
        for t in live:
            of[t["subject"]].append(t)
        self._collected(n, datasets, of)
        self._sent(n, served, of, within)
        for r in self.rows["inbox"]:
            day, rest = day_of(r["hub_time"]), r["missing"] + r["differing"] + r["extra"]
            judged = r["subject"] in served and r["outcome"] in ("agreed", "healed", "open", "held")
            if judged and start <= day < end:  # the newest of the month counts
                n[f"inbox.{r['subject']}.part"] = r["agreeing"]
                n[f"inbox.{r['subject']}.of"] = r["agreeing"] + rest
        for name in (*datasets, *served):
            took = [
                # whole milliseconds, as they are kept
                (t["finished_at"] - t["started_at"] + HALF) // MILLISECOND
                for t in of[name]
                if t["status"] in ("published", "confirmed")
            ]
            n[f"p95.{name}"] = p95(took)

        def span(table: str) -> list[Row]:
            subjects = {*datasets, *served}
            found = [r for r in self.rows[table] if start <= r["day"] < end]
            return [r for r in found if r["subject"] in subjects]

        self._rules(n, [r for r in span("rule") if not r["replay"] and r["state"] == "published"])
        self._counted(n, span)
        self._dimensions(n, agency, datasets, of)
        self._tickets(n, agency, start, end)
        self._kpis(n, datasets, start, end)
        states = [self.state(key, n["_rules"], start) for key in n if key.startswith("problem.")]
        states = [s for s in states if s]
        n["kpi.overdue.part"], n["kpi.overdue.of"] = states.count("overdue"), len(states)
        records = [r for r in span("record") if r["agreement"] is None]
        n["kpi.false_block.of"] = len(records)
        n["kpi.false_block.part"] = sum(
            r["status"] == "released"
            for r in self.rows["record"]
            if r["agreement"] is None and start <= r["day"] < end and r["dataset"] in datasets
        )
        if CARDS in datasets:
            self._cards(n, served, start, end)
        self._reactions(n, served, start, end)
        self._suspensions(n, agency, start, end)
        self._calls(n, agency, datasets, start, end)
        self._stand(n, agency, datasets, start, end)
        return n

    def state(self, key: str, rules: list[Row], month: date, today: date | None = None) -> str:
        """How a problem of a month stands by what is known now; empty for a key of its parts."""
        found = [
            r
            for r in rules
            if r["failed"] and key == f"problem.{r['subject']}.{r['field']}.{r['rule']}"
        ]
        if not found:
            return ""
        dataset, field, rule = (found[0][k] for k in ("subject", "field", "rule"))
        ids = [r["transfer"] for r in found]
        own = [
            q
            for q in self.rows["rejected"]
            if q["dataset"] == dataset
            and [field, rule] in [*q["reasons"], *(q["first_reasons"] or [])]
            and q["first_transfer"] <= max(ids)
            and q["last_transfer"] >= min(ids)
        ]
        if own and not any(self._unresolved(q, field, rule) for q in own):
            return "gone"
        if not own and any(
            t["subject"] == dataset
            and t["direction"] == "collect"
            and t["status"] == "published"
            and t["whole"]
            and t["source_rows"] is not None
            and t["rows_read"]
            and not t["replay"]
            and t["id"] > max(ids)
            for t in self.transfers.values()
        ):
            return "gone"
        for t in self.rows["ticket"]:
            if (t["dataset"], t["rule"]) == (dataset, rule) and t["status"] != "closed":
                return "ticket"
        today = today or min(self.now.date(), end_of(month.replace(day=1)) - timedelta(days=1))
        return "overdue" if today > self.due(key, rules) else "open"

    @staticmethod
    def due(key: str, rules: list[Row]) -> date:
        """The last working day to put a problem right."""
        days = [
            r["day"]
            for r in rules
            if r["failed"] and key == f"problem.{r['subject']}.{r['field']}.{r['rule']}"
        ]
        left, day = LEVELS["working_days"]["finding"], min(days)
        while left:
            day += timedelta(days=1)
            left -= is_workday(day)
        return day

    def _unresolved(self, q: Row, field: str, rule: str) -> bool:
        if q["status"] in OPEN:
            return True
        return q["status"] == "superseded" and any(
            later["dataset"] == q["dataset"]
            and later["record_ref"] == q["record_ref"]
            and later["status"] in OPEN
            and [field, rule] in later["reasons"]
            for later in self.rows["rejected"]
        )

    def _stand(self, n: Numbers, agency: str, datasets: list[str], start: date, end: date) -> None:
        """Grades: of one dataset by itself, of an agency by its datasets, of the city by both."""
        whole = agency == "bureau"
        agencies = sorted({d.split("/")[0] for d in datasets})
        members = [] if agency in datasets else agencies if whole else datasets
        below = {m: self.numbers(m, start, end)["_place"] for m in members}
        missed, measured = [], 0
        for name, kpi in SCHEME["kpis"].items():
            part, of = n[f"kpi.{name}.part"], n[f"kpi.{name}.of"]
            if of and (whole or not kpi.get("whole")):
                percent, target = Fraction(100 * part, of), Fraction(str(kpi["target"]))
                measured += 1
                if percent < target if kpi["better"] == "up" else percent > target:
                    missed.append(name)
        late, problems = n["kpi.overdue.part"], n["kpi.overdue.of"]
        n["missed.total.part"], n["missed.total.of"] = len(missed), measured
        n["overdue.total.part"], n["overdue.total.of"] = late, problems
        n["_missed"], n["_place"] = missed, None
        for member in members:
            for kind in ("missed", "overdue"):
                for half in ("part", "of"):
                    of_member = self.numbers(member, start, end)[f"{kind}.total.{half}"]
                    n[f"{kind}.{member}.{half}"] = of_member
        reached = score(n, "total")
        n["_places"] = below
        if reached is None:
            return
        places = [place_of(reached), cap("targets", Fraction(len(missed)))]
        places.append(cap("overdue", Fraction(100 * late, problems or 1)))
        worst = [p for p in below.values() if p is not None]
        places += [max(worst) - SCHEME["caps"]["weakest"]] if worst else []
        n["_place"] = max(places)

    @staticmethod
    def _counted(n: Numbers, span: Callable[[str], list[Row]]) -> None:
        for r in span("finding"):
            if not r["replay"]:
                key = f"finding.{r['subject']}.{r['name']}"
                n[f"{key}.runs"] = n.get(f"{key}.runs", 0) + 1
                n[f"{key}.failed"] = n.get(f"{key}.failed", 0) + (not r["passed"])
                n[f"{key}.observed"] = r["observed"]
        for r in span("privacy"):
            for what, more in (
                ("checked", r["checked"]),
                ("hits", r["hits"]),
                ("stopped", r["outcome"] == "hit" and r["state"] in ("failed", "held")),
            ):
                key = f"privacy.{r['rule']}.{what}"
                n[key] = n.get(key, 0) + more
        n["privacy.incidents"] = len(span("incident"))
        for r in span("county"):
            if r["state"] == "published" and not r["replay"]:
                key = f"county.{r['county'] or 'elsewhere'}"
                n[f"{key}.part"] = n.get(f"{key}.part", 0) + r["n"] - r["bad"]
                n[f"{key}.of"] = n.get(f"{key}.of", 0) + r["n"]

    def _collected(self, n: Numbers, datasets: list[str], of: dict[str, list[Row]]) -> None:
        for d in datasets:
            k = f"collect.{d}"
            n[f"{k}.runs"] = len(of[d])
            for name, status in (("done", "published"), ("failed", "failed"), ("held", "held")):
                n[f"{k}.{name}"] = sum(t["status"] == status for t in of[d])
            done = [t for t in of[d] if t["status"] == "published"]
            for term in (*TERMS, "filtered_by_policy"):
                n[f"{k}.{term}"] = sum(t[term] for t in done)
            n[f"{k}.days"] = len({t["day"] for t in done})
            n[f"{k}.good.of"] = n[f"{k}.rows_read"]
            n[f"{k}.good.part"] = n[f"{k}.rows_read"] - n[f"{k}.quarantined"]
        for name in ("runs", "done", "failed", "held", *TERMS, "filtered_by_policy"):
            n[f"collect.total.{name}"] = sum(n[f"collect.{d}.{name}"] for d in datasets)

    def _sent(
        self, n: Numbers, served: list[str], of: dict[str, list[Row]], within: list[Row]
    ) -> None:
        hit = {
            r["transfer"]
            for r in self.rows["privacy"]
            if r["outcome"] == "hit" and r["action"] == "block"
        }
        receipts = {r["transfer"] for r in self.rows["receipt"]}
        for a in served:
            k, done = f"deliver.{a}", [t for t in of[a] if t["status"] == "confirmed"]
            n[f"{k}.runs"], n[f"{k}.done"] = len(of[a]), len(done)
            n[f"{k}.failed"] = sum(t["status"] == "failed" for t in of[a])
            n[f"{k}.held"] = sum(t["status"] == "held" for t in of[a])
            n[f"{k}.sent"] = sum(t["sent_rows"] for t in done)
            n[f"{k}.receipts"] = sum(t["id"] in receipts for t in done)
            n[f"{k}.blocked"] = sum(
                t["subject"] == a and t["id"] in hit and t["status"] in ("failed", "held")
                for t in within
            )
        for name in ("runs", "done", "failed", "held", "sent", "receipts", "blocked"):
            n[f"deliver.total.{name}"] = sum(n[f"deliver.{a}.{name}"] for a in served)

    def _rules(self, n: Numbers, rules: list[Row]) -> None:
        for r in rules:
            if r["failed"]:
                key = f"problem.{r['subject']}.{r['field']}.{r['rule']}"
                n[key] = n.get(key, 0) + r["failed"]
        n["_rules"] = rules

    def dimension(self, dataset: str, rule: str) -> str:
        for own in self.known.contracts[dataset].rules:
            if own.name == rule:
                return str(SCHEME["odcs"].get(own.dimension, own.dimension))
        for dimension, rules in SCHEME["built_in"].items():
            if rule in rules or rule.rpartition(".")[2] in rules:
                return str(dimension)
        return "conformity"

    def _dimensions(
        self, n: Numbers, agency: str, datasets: list[str], of: dict[str, list[Row]]
    ) -> None:
        units = {"total": datasets} | {d: [d] for d in datasets}
        for d in datasets if agency == "bureau" else ():
            units.setdefault(d.split("/")[0], []).append(d)
        n["_units"] = units
        for unit, members in units.items():
            for dim in SCHEME["dimensions"]:
                part = whole = 0
                for d in members:
                    read, runs = n[f"collect.{d}.rows_read"], len(of[d])
                    if dim == "timeliness":
                        part, whole = part + n[f"collect.{d}.days"], whole + n["days"]
                    elif dim == "accessibility":
                        part, whole = part + runs - n[f"collect.{d}.failed"], whole + runs
                    else:
                        bad = sum(
                            r["failed"]
                            for r in n["_rules"]
                            if r["subject"] == d
                            and r["severity"] == "error"
                            and self.dimension(d, r["rule"]) == dim
                        )
                        part, whole = part + read - min(bad, read), whole + read
                n[f"dim.{unit}.{dim}.part"], n[f"dim.{unit}.{dim}.of"] = part, whole

    def _tickets(self, n: Numbers, agency: str, start: date, end: date) -> None:
        mine = [
            t
            for t in self.rows["ticket"]
            if agency in ("bureau", t["agency"], t["dataset"])
            and t["opened_at"].astimezone(ZONE).date() < end
        ]
        month, after = start.replace(day=1), end_of(start)
        today = min(self.now.date(), after - timedelta(days=1))
        answered = [
            t for t in mine if t["answered_at"] and month <= day_of(t["answered_at"]) < after
        ]
        n["ticket.received"] = sum(month <= day_of(t["opened_at"]) < after for t in mine)
        n["ticket.answered"] = len(answered)
        n["ticket.corrected"] = sum(t["outcome"] == "corrected" for t in answered)
        n["ticket.overdue"] = sum(
            t["due_on"] < today and not (t["answered_at"] and day_of(t["answered_at"]) <= today)
            for t in mine
        )
        due = [t for t in mine if month <= t["due_on"] < after]
        n["kpi.fixed_in_time.of"] = len(due)
        n["kpi.fixed_in_time.part"] = sum(
            bool(t["answered_at"]) and day_of(t["answered_at"]) <= t["due_on"] for t in due
        )

    def _problems(self, datasets: list[str], month: date) -> set[tuple[str, str, str]]:
        return {
            (r["subject"], r["field"], r["rule"])
            for r in self.rows["rule"]
            if r["subject"] in datasets
            and r["severity"] == "error"
            and r["failed"]
            and month <= r["day"] < end_of(month)
            and r["state"] == "published"
            and not r["replay"]
        }

    def _kpis(self, n: Numbers, datasets: list[str], start: date, end: date) -> None:
        contracts = [self.known.contracts[d] for d in datasets]
        read, rules = n["collect.total.rows_read"], n["_rules"]
        required = sum(
            n[f"collect.{c.id}.rows_read"] * len([f for f in c.fields if f.required])
            for c in contracts
        )
        missing = sum(r["failed"] for r in rules if r["rule"] == "required")
        unique = {(c.id, r.name) for c in contracts for r in c.rules if r.dimension == "uniqueness"}
        repeats = sum(r["failed"] for r in rules if (r["subject"], r["rule"]) in unique)
        repeats += n["collect.total.deduplicated"]
        checks = [
            f"finding.{c.id}.{e.name}"
            for c in contracts
            for e in c.expectations
            if e.dimension == "consistency" and f"finding.{c.id}.{e.name}.runs" in n
        ]
        ran = sum(n[f"{k}.runs"] for k in checks)
        month = start.replace(day=1)
        now, last = self._problems(datasets, month), self._problems(datasets, start_before(month))
        holding = {
            t["subject"]
            for t in self.transfers.values()
            if t["status"] == "published"
            and not t["replay"]
            and t["published"] + t["unchanged"]
            and t["day"] < end
        }
        schemes = self.known.registers.schemes.values()
        runs = n["deliver.total.runs"]
        shares = {
            "record_complete": (read - n["collect.total.quarantined"], read),
            "filled": (required - min(missing, required), required),
            "unique": (read - min(repeats, read), read),
            "consistent": (ran - sum(n[f"{k}.failed"] for k in checks), ran),
            "blocked": (n["deliver.total.blocked"], runs),
            "recurring": (len(now & last), len(now) if self.days(start_before(month)) else 0),
            "catalogued": (len(holding & set(datasets)), len(datasets)) if n["days"] else (0, 0),
            "merged": (len([s for s in schemes if s.exemption or not s.government]), len(schemes)),
            **{
                k: (n[f"dim.total.{d}.part"], n[f"dim.total.{d}.of"])
                for k, d in (
                    ("conform", "conformity"),
                    ("timely", "timeliness"),
                    ("available", "accessibility"),
                )
            },
        }
        for name, (part, of) in shares.items():
            n[f"kpi.{name}.part"], n[f"kpi.{name}.of"] = part, of
        for key in [k for k in n if k.startswith("problem.")]:
            times, back = 0, month
            for _ in range(12):
                back = start_before(back)
                times += any(
                    key == f"problem.{r['subject']}.{r['field']}.{r['rule']}"
                    and r["failed"]
                    and back <= r["day"] < end_of(back)
                    and r["state"] == "published"
                    and not r["replay"]
                    for r in self.rows["rule"]
                )
            n[f"{key}.times"] = times

    def _reactions(self, n: Numbers, served: list[str], start: date, end: date) -> None:
        """How fast events were confirmed: each event of a bucket written out, and counted off."""
        for a in served:
            found = REACTION["datasets"].get(self.known.agreements[a].dataset)
            limits = REACTION["limits"].get(self.known.agreements[a].consumer, REACTION["others"])
            for kind in found["kinds"] if found else ():
                k = f"reaction.{a}.{kind}"
                mine = [
                    r
                    for r in self.rows["took"]
                    if (r["agreement"], r["kind"]) == (a, kind)
                    and start <= day_of(r["since"]) < end
                ]
                took = sorted(
                    middle(r["bucket"])
                    for r in mine
                    if r["bucket"] >= 0
                    for _ in range(r["events"])
                )
                n[f"{k}.events"] = len(took)
                n[f"{k}.ahead"] = sum(r["events"] for r in mine if r["bucket"] == -1)
                n[f"{k}.later"] = sum(r["events"] for r in mine if r["bucket"] == -2)
                for percent in (50, 95, 99):
                    at = -(-percent * len(took) // 100) - 1  # nearest rank
                    n[f"{k}.p{percent}"] = took[at] if took else None
                late = [
                    r
                    for r in self.rows["late"]
                    if (r["agreement"], r["kind"]) == (a, kind)
                    and start <= day_of(r["since"]) < end
                ]
                if kind in limits:
                    n[f"{k}.in_limit.of"] = len(took)
                    n[f"{k}.in_limit.part"] = len(took) - sum(r["events"] for r in late)
                for r in late:
                    of = f"late.{a}.{kind}.{r['cause']}.{r['allowed']}"
                    n[f"{of}.events"] = n.get(f"{of}.events", 0) + r["events"]
                    n[f"{of}.worst"] = max(n.get(f"{of}.worst", 0.0), r["worst"])

    def _suspensions(self, n: Numbers, agency: str, start: date, end: date) -> None:
        """Of the agency's own operators, and of others who had asked for its data."""
        for r in self.rows["suspension"]:
            texts = [self.known.agreements[a] for a in r["agreements"]]
            asked = {text.dataset.split("/")[0] for text in texts}
            if agency in ("bureau", r["agency"], *asked) and start <= day_of(r["at"]) < end:
                k = f"misuse.{r['caller']}.{r['operator']}.{r['rule']}"
                n[f"{k}.times"] = n.get(f"{k}.times", 0) + 1
                n[f"{k}.most"] = max(n.get(f"{k}.most", 0), r["number"])
                n[f"{k}.lifted"] = n.get(f"{k}.lifted", 0) + (r["lifted_by"] is not None)

    def _calls(self, n: Numbers, agency: str, datasets: list[str], start: date, end: date) -> None:
        """Calls about single persons: each answer of a line written out, and counted off."""
        asked = [
            a.id
            for a in self.known.agreements.values()
            if a.mode in ("query", "verify") and a.dataset in datasets
        ]
        whole = agency == "bureau"

        def mine(table: str, at: str) -> list[Row]:
            rows = [r for r in self.rows[table] if start <= day_of(r[at]) < end]
            return [r for r in rows if whole or r["agreement"] in asked]

        answered, refused = mine("call", "since"), mine("refusal", "hour")
        lines = {(r["agreement"], r["caller"]) for r in answered}
        lines |= {(r["agreement"], r["caller"]) for r in refused if r["agreement"]}
        for sid, system in self.known.callers.items():
            may = [a for a in asked if self.known.agreements[a].consumer == system.agency]
            real = not system.residents and system.profile == "production"
            lines |= {(a, sid) for a in may if real}
            lines |= {("", sid)} if system.residents and whole else set()
        total = {"answered": 0, "none": 0, "refused": 0}
        for agreement, caller in lines:
            k = f"call.{agreement or '-'}.{caller}"
            own = [r for r in answered if (r["agreement"], r["caller"]) == (agreement, caller)]
            took = sorted(r["at_most_ms"] for r in own for _ in range(r["calls"]))
            for name, found in (("answered", True), ("none", False)):
                n[f"{k}.{name}"] = sum(r["calls"] for r in own if r["found"] is found)
                total[name] += n[f"{k}.{name}"]
            n[f"{k}.refused"] = sum(
                r["calls"] for r in refused if (r["agreement"], r["caller"]) == (agreement, caller)
            )
            total["refused"] += n[f"{k}.refused"]
            for percent in (50, 95, 99):
                at = -(-percent * len(took) // 100) - 1  # nearest rank
                n[f"{k}.p{percent}"] = took[at] if took else None
            if agreement:
                n[f"{k}.in_time.of"] = len(took)
                n[f"{k}.in_time.part"] = sum(ms <= PROMISED_MS for ms in took)
        for r in refused:
            kind = next((k for k, codes in REFUSED_BY.items() if r["code"] in codes), "other")
            k = f"refusal.{r['agreement'] or '-'}.{r['caller'] or '-'}.{kind}"
            n[k] = n.get(k, 0) + r["calls"]
        if lines:
            n |= {f"call.total.{name}": number for name, number in total.items()}
        n["law.refused"] = sum(r["calls"] for r in refused)
        n["law.asked"] = sum(r["calls"] for r in answered if r["agreement"])

    def _cards(self, n: Numbers, served: list[str], start: date, end: date) -> None:
        events = self.rows["event"]
        lost = [
            e
            for e in events
            if e["event_type"] in SCHEME["loss_events"]
            and start <= e["effective_at"].astimezone(ZONE).date() < end
        ]
        for a in served:
            found = self.known.agreements[a]
            if found.dataset != CARDS or found.mode != "event":
                continue
            sent = [
                r | {"version": json.loads(r["body"])["versions"].get(CARDS, 0)}
                for r in self.rows["receipt"]
                if r["subject"] == a and r["state"] == "confirmed"
            ]
            in_time = never = 0
            for e in lost:
                ends = [
                    t["hub_time"] + (t["finished_at"] - t["started_at"])
                    for t in sent
                    if t["version"] >= e["_version"]
                ]
                never += not ends
                in_time += bool(ends) and (min(ends) - e["effective_at"]).total_seconds() <= int(
                    SCHEME["loss_within_seconds"]
                )
            held = max(
                (
                    r["version"]
                    for r in self.rows["delivered"]
                    if r["agreement"] == a and r["dataset"] == CARDS
                ),
                default=0,
            )
            n[f"card.{a}.in_time.part"], n[f"card.{a}.in_time.of"] = in_time, len(lost)
            n[f"card.{a}.unconfirmed"] = never
            n[f"card.{a}.same.part"] = sum(e["_version"] <= held for e in events)
            n[f"card.{a}.same.of"] = len(events)
        n["card.illegal.part"] = sum(
            r["failed"]
            for r in n["_rules"]
            if r["subject"] == CARDS and r["rule"] == "legal_transition"
        )
        n["card.illegal.of"] = n[f"collect.{CARDS}.rows_read"]


def middle(bucket: int) -> float:
    """Seconds that stand for a bucket: within 5% of all that is in it; 0 is a hundredth or less."""
    return 0.01 * (1.05 / 0.95) ** bucket * 0.95 if bucket else 0.01


def p95(milliseconds: Iterable[int]) -> float | None:
    """The 95th percentile in seconds, interpolated between the neighbours without rounding."""
    ordered = sorted(milliseconds)
    if not ordered:
        return None
    at = Fraction(95, 100) * (len(ordered) - 1)
    low, high = ordered[math.floor(at)], ordered[math.ceil(at)]
    return float((low + (high - low) * (at - math.floor(at))) / 1000)


def level(n: Numbers, unit: str, dimension: str) -> Fraction | None:
    """The plain mean of the shares of a unit's datasets; None where none was measured."""
    shares = [
        Fraction(n[f"dim.{d}.{dimension}.part"], n[f"dim.{d}.{dimension}.of"])
        for d in n["_units"][unit]
        if n[f"dim.{d}.{dimension}.of"]
    ]
    return sum(shares, Fraction(0)) / len(shares) if shares else None


def score(n: Numbers, unit: str) -> Fraction | None:
    """Weights times levels over the measured dimensions; None when no row was read."""
    if not n[f"dim.{unit}.conformity.of"]:
        return None
    total = weights = Fraction(0)
    for dim, block in SCHEME["dimensions"].items():
        found = level(n, unit, dim)
        if found is not None:
            total += block["weight"] * found
            weights += block["weight"]
    return 100 * total / weights


def place_of(reached: Fraction) -> int:
    """How many grades begin above a score."""
    return sum(grade["from"] > reached for grade in SCHEME["grades"])


def cap(kind: str, much: Fraction) -> int:
    """The best grade that is left when so many targets are missed, or so much is overdue."""
    names = [grade["title_en"] for grade in SCHEME["grades"]]
    best = 0
    for line in SCHEME["caps"][kind]:
        if much > Fraction(str(line["above"])):
            best = names.index(line["at_most"])
    return best


def grade_name(place: int | None, language: str) -> str:
    """A grade as a page writes it."""
    if place is None:
        return "—"
    return str(SCHEME["grades"][place]["title" if language == "zh" else "title_en"])


def dimension_grade(n: Numbers, dimension: str) -> int | None:
    """The grade of a dimension, capped by its own missed targets."""
    found = level(n, "total", dimension)
    if found is None:
        return None
    own = [k for k in n["_missed"] if SCHEME["kpis"][k].get("dimension") == dimension]
    return max(place_of(100 * found), cap("targets", Fraction(len(own))))


def is_workday(day: date) -> bool:
    """Whether people work; of a year whose holidays are not published, Monday to Friday."""
    try:
        return bool(chinese_calendar.is_workday(day))
    except NotImplementedError:
        return day.weekday() < 5


def floored(value: Fraction, digits: int) -> str:
    """A number cut (never rounded up) after so many digits."""
    scaled = math.floor(value * 10**digits)
    return f"{scaled // 10**digits}.{scaled % 10**digits:0{digits}d}"
