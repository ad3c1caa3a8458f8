"""A hub under whose agreements single persons are asked for, with a registry of a few of them."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import requests
from psycopg import sql

from onecard.app.wiring import Hub
from onecard.base.connections import EnvironmentConnections
from onecard.base.personal import CHECK, WEIGHTS
from onecard.base.platform_signature import Credential, bound, signature, system_ms
from onecard.base.settings import Settings
from onecard.base.sql_text import query
from onecard.crypto import keys
from onecard.daemon.serving import serve
from onecard.serve.door import create_app
from onecard.serve.service import Service
from onecard.store import agreement_lives, database, staging
from schemas.models import catalogue

NOW = "2026-11-24T10:00:00+08:00"
F09, F10 = "f09-hrss-health-card-query", "f10-hrss-bank-payee-verify"
F11, F12 = "f11-hrss-housing_fund-retirement-query", "f12-hrss-housing_fund-employment-query"
HIS, BANK, FUND, APP = "health-his", "bank-payment", "hf-withdrawal", "city-app"
PURPOSES = {F09: "A7-03", F10: "A7-04", F11: "A7-10", F12: "A7-10"}
CASES = {F09: "JZ20261124000123", F10: "FK20261124000123", F11: "TQ202611240123"}
CASES[F12] = CASES[F11]
SIDS = {F09: HIS, F10: BANK, F11: FUND, F12: FUND}
MODES = {F09: "query", F10: "verify", F11: "query", F12: "query"}
DATASETS = (
    "hrss/card_master",
    "hrss/pension_status",
    "hrss/employment_status",
    "health/death_notice",
)


def id_number(number: int, born: date = date(1990, 5, 1)) -> str:
    """An ID number of nobody: division 410199 is not assigned."""
    digits = f"410199{born:%Y%m%d}{number:03}"
    total = sum(int(d) * w for d, w in zip(digits, WEIGHTS, strict=True))
    return digits + CHECK[total % 11]


@dataclass(frozen=True, slots=True)
class Person:
    """A resident with a card."""

    id_number: str
    name: str
    card_no: str
    account: str

    @property
    def values(self) -> tuple[str, ...]:
        """What may stand nowhere but in the registry."""
        return (self.id_number, self.name, self.card_no, self.account)


def person(number: int, name: str = "", born: date = date(1990, 5, 1)) -> Person:
    """A person of that number."""
    account = f"62220217{number:011}"
    return Person(id_number(number, born), name or f"王测{number}", f"H{number:08}", account)


@dataclass
class AskedHub:
    """The hub and its service."""

    home: Path
    address: str
    environment: dict[str, str] = field(default_factory=dict)
    sent: int = 0
    url: str = ""

    @property
    def variables(self) -> dict[str, str]:
        """The environment of a process of the hub."""
        return {
            "ONECARD_HOME": str(self.home),
            "ONECARD_DATABASE_URL": self.address,
            "ONECARD_PROFILE": "demo",
            "ONECARD_NOW": NOW,
            "ONECARD_ACTOR": "tester",
            **self.environment,
        }

    def hub(self) -> Hub:
        """A hub that reads everything anew."""
        return Hub(Settings.load(self.variables), EnvironmentConnections(self.variables))

    def execute(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """What a statement gives in the hub's own database."""
        with database.connect(self.address, autocommit=True) as connection:
            done = connection.execute(statement.encode(), values)
            return done.fetchall() if done.description else []

    def insert(self, dataset: str, **values: object) -> None:
        """A row of the registry; what is not given is filled with something."""
        contract = catalogue.load().contract(dataset)
        usual = {"string": "0", "date": date(2020, 1, 1), "integer": 1, "number": 1}
        row: dict[str, object] = {
            f.name: usual.get(f.type, NOW) for f in contract.fields if f.required
        }
        row |= values
        row |= {"_row_hash": b"", "_version": 1, "_first_version": 1, "_transfer_id": 1}
        statement = query(
            "INSERT INTO {t} ({names}) VALUES ({values})",
            t=sql.Identifier("registry", contract.table),
            names=sql.SQL(", ").join(map(sql.Identifier, row)),
            values=sql.SQL(", ").join(sql.Placeholder() * len(row)),
        )
        with database.connect(self.address, autocommit=True) as connection:
            connection.execute(statement, list(row.values()))

    def card(self, who: Person, **values: object) -> None:
        """A card of a person, in use, its bank account active."""
        usual = {"card_status": "1", "fin_status": "2", "card_gen": "3", "eligibility_type": "1"}
        self.insert(
            "hrss/card_master",
            **{
                "card_no": who.card_no,
                "person_id18": who.id_number,
                "person_name": who.name,
                "bank_account": who.account,
                "source_seq": 7,
                **usual,
                **values,
            },
        )

    def credential(self, sid: str) -> Credential:
        """What a system signs with."""
        purpose = keys.caller_purpose(sid)
        store = keys.KeyStore(self.home / "keys.json")
        (key, *_) = store.epochs([purpose])[purpose]
        return Credential(sid, keys.app_key(key), catalogue.load().callers[sid])

    def body(self, agreement: str, who: Person | None = None, **changes: object) -> dict[str, Any]:
        """A sound body; members replaced."""
        self.sent += 1
        who = who or person(1)
        about = {"id_number": who.id_number}
        if agreement in (F09, F10):
            about["person_name"] = who.name
        found: dict[str, Any] = {
            "request_id": f"request-{uuid.uuid4().hex}",
            "operator": "N0123",
            "purpose": PURPOSES[agreement],
            "case": CASES[agreement],
            "person": about,
        }
        if agreement == F10:
            found["values"] = {"bank_account": who.account, "fin_status": "2"}
        return found | changes

    def post(
        self,
        agreement: str,
        body: Mapping[str, Any] | bytes,
        sid: str = "",
        headers: Mapping[str, str] | None = None,
        path: str = "",
    ) -> requests.Response:
        """Send a call, signed."""
        data = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
        where = path or f"/v1/{agreement}/{MODES.get(agreement, 'query')}"
        signed = headers or self.headers(where, data, sid or SIDS.get(agreement, HIS))
        return requests.post(self.url + where, data=data, headers=dict(signed), timeout=60)

    def headers(self, path: str, body: bytes, caller: str, **changed: str) -> dict[str, str]:
        """Of a call, signed; `rid` and `at_ms` may be given."""
        credential = self.credential(caller)
        rid = changed.pop("rid", uuid.uuid4().hex)
        rtime = changed.pop("at_ms", str(system_ms()))
        more = bound(credential.form, path, body)
        sign = signature(credential, rid, rtime, more)
        values = {"sid": caller, "rid": rid, "rtime": rtime, "sign": sign} | changed
        return {credential.form.header_prefix + name: value for name, value in values.items()}

    def code(self, agreement: str, body: Mapping[str, Any] | bytes, **more: Any) -> str:
        """The code of an answer."""
        return str(self.post(agreement, body, **more).json()["code"])

    def result(self, agreement: str, who: Person, **changes: object) -> Any:
        """What is said of a person."""
        answer = self.post(agreement, self.body(agreement, who, **changes))
        assert answer.status_code == 200, answer.text
        return answer.json()["result"]

    @contextmanager
    def serving(self) -> Iterator[Service]:
        """The service on a free port, until the block ends."""
        service = Service(self.hub)
        service.start()
        door = serve(create_app(service), "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{door.port}"
        try:
            yield service
        finally:
            door.close()
            service.end()


@contextmanager
def asked_hub(home: Path, address: str) -> Iterator[AskedHub]:
    """A hub below `home` on a migrated database, its agreements approved, nobody in the registry.

    Args:
        home: a folder.
        address: of the hub's database.
    """
    known = catalogue.load()
    home.mkdir(parents=True, exist_ok=True)
    keys.create(home / "keys.json", known.agencies, "2026", callers=known.callers)
    with database.connect(address, autocommit=True) as connection:
        for dataset in DATASETS:
            contract = known.contract(dataset)
            columns = [
                query("{n} {t}", n=sql.Identifier(f.name), t=staging.column_type(f))
                for f in contract.fields
            ]
            connection.execute(
                query(
                    "CREATE TABLE {t} ({columns}, _row_hash bytea, _version bigint,"
                    " _first_version bigint, _transfer_id bigint, _deleted_at timestamptz)",
                    t=sql.Identifier("registry", contract.table),
                    columns=sql.SQL(", ").join(columns),
                )
            )
            connection.execute(
                "INSERT INTO ledger.dataset (dataset, version, published_at) VALUES (%s, 1, %s)",
                (dataset, NOW),
            )
        for agreement in known.agreements.values():
            if agreement.asked:
                agreement_lives.approve(connection, agreement, "批准人", "批复〔2026〕1号")
    yield AskedHub(home, address)
