"""A portal on a real database; who is logged in stands in a header of the test's own."""

from __future__ import annotations

import secrets
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest
from fastapi import HTTPException, Request

from onecard.app.hub_desk import HubDesk
from onecard.app.wiring import Hub
from onecard.base.settings import Settings
from onecard.base.times import ZONE
from onecard.crypto import keys
from onecard.model.attachments import NewAttachment
from onecard.model.tickets import NewTicket
from onecard.model.transfers import Counts, DeliveryCounts
from onecard.portal.access import Person
from onecard.portal.app import create_app
from onecard.portal.site import Site
from onecard.ports.auditor import Finding
from onecard.ports.row_gate import Reason
from onecard.store import (
    agreement_lives,
    attachments,
    audit,
    database,
    deliveries,
    findings,
    incidents,
    quality_problems,
    receipts,
    rule_results,
    tickets,
    transfers,
)
from onecard.store.audit_body import WHOLE
from onecard.store.database import Connection
from quality.rows.rule_titles import title
from schemas.models import catalogue
from tests.cities import empty_hub
from tests.rejected import Row, reject

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it asks for httpx2, a package of another name
    from fastapi.testclient import TestClient

NOW = datetime(2026, 11, 24, 9, tzinfo=ZONE)
APPROVED = "f20-health-hrss-death"
WAITING = "f15-education-hrss-graduates"
HELD = "housing_fund/hf_account"
NIGHT = "2026-11-24"
HOSTILE = (
    "<script>alert(1)</script>",
    '=HYPERLINK("http://evil.example","x")',
    "\u202e口令",
    "长" * 200,
    "𠮷野家\U0001f600",
    '"><img src=x onerror=alert(1)>',
    "{{ 7*7 }}",
)
USERS = """\
users:
  hrss: [hrss]
  health: [health]
  education: [education]
  both: [health, education]
groups:
  Admin: ["*"]
  onecard-transport: [transport]
"""


def whoever(request: Request) -> Person:
    """The tests' Airflow: `X-User: name[/group]`."""
    said = request.headers.get("x-user")
    if not said:
        raise HTTPException(401)
    name, _, group = said.partition("/")
    return Person(name, frozenset([group] if group else []))


@dataclass
class Portal:
    """A portal and the hub behind it."""

    site: Site
    home: Path
    address: str
    users: Path

    def client(self, user: str | None = None, **options: bool) -> TestClient:
        headers = {"accept": "text/html"} | ({"x-user": user} if user else {})
        return TestClient(create_app(self.site), headers=headers, **options)

    def connect(self):
        return database.connect(self.address, autocommit=True)

    def collect(self, dataset: str, read: int, rules: dict[Reason, int]) -> int:
        """A published collect, as the hub writes it."""
        with self.connect() as connection:
            transfer = transfers.open_transfer(connection, "collect", dataset, "1", NOW)
            bad = max(rules.values(), default=0)
            counts = Counts(read, read - bad, 0, bad, 0, 0)
            rule_results.record_rules(connection, transfer, rules, "error")
            transfers.record_published(connection, transfer, 1, counts)
        return transfer

    def reject(self, dataset: str, rows: list[Row], at: datetime = NOW) -> int:
        """A published collect whose rejected rows stand in quarantine, as the hub writes it."""
        with self.connect() as connection:
            return reject(connection, self.site.desk(), dataset, rows, at)

    def forget(self) -> None:
        """No row is rejected, and no problem was ever known."""
        with self.connect() as connection:
            connection.execute("DELETE FROM quarantine.record")
            connection.execute("ALTER TABLE ledger.problem_event DISABLE TRIGGER ALL")
            for table in ("problem_event", "problem_day", "problem"):
                connection.execute(f"DELETE FROM ledger.{table}".encode())
            connection.execute("ALTER TABLE ledger.problem_event ENABLE TRIGGER ALL")

    def objects(self, agency: str = "health") -> dict[str, str]:
        """Something of the agency for each name in the addresses of routes."""
        dataset = {"health": "health/death_notice", "education": "education/edu_enrolment"}[agency]
        self.reject(dataset, [row(secrets.token_hex(4))])
        with self.connect() as connection:
            (problem,) = [
                p
                for p in quality_problems.of_datasets(connection, [dataset])
                if (p.field, p.rule) == ("person_name", "required")
            ]
            (newest,) = quality_problems.rows(connection, problem.id, 0, 1)
        ticket = self.ticket(agency=agency)
        return {
            "agency": agency,
            "report": "monthly-2026-10.zh.html",
            "agreement": APPROVED,
            "ticket": str(ticket),
            "attachment": str(self.attach(ticket)),
            "problem": str(problem.id),
            "record": str(newest.id),
            "night": NIGHT,
            "hold": self.held_collect(),
            "incident": str(self.incident()),
            "receipt": str(self.receipt(APPROVED if agency == "health" else WAITING)),
            "entry": "1",
        }

    def held_collect(self, finding: str = "shrinkage") -> str:
        """A held collect, as the hub writes it without its rows; returns its key."""
        with self.connect() as connection:
            number = transfers.open_transfer(connection, "collect", HELD, "1", NOW)
            missed = Finding(finding, "critical", passed=False, observed=0.1)
            findings.record(connection, number, [missed])
            transfers.record_end(connection, number, "held", f"{HELD}: transfer {number} is held")
        return f"collect-{number}"

    def held_delivery(self, agreement: str = APPROVED) -> str:
        """A held delivery, as the hub writes it; returns its key."""
        with self.connect() as connection:
            number = transfers.open_transfer(connection, "deliver", agreement, "1", NOW)
            said = f"{agreement}: 9000 rows are due, usually 10"
            transfers.record_end(connection, number, "held", said)
        return f"deliver-{number}"

    def incident(self) -> int:
        """An open incident of a delivery that a rule has blocked."""
        with self.connect() as connection:
            number = transfers.open_transfer(connection, "deliver", APPROVED, "1", NOW)
            transfers.record_end(connection, number, "failed", "PR-05 blocks")
            incidents.open_incident(connection, APPROVED, number, "PR-05", 1_234)
            return incidents.open_ones(connection)[-1].id

    def receipt(self, agreement: str = APPROVED) -> int:
        """A confirmed delivery with receipt, audit entry and checkpoint, as the hub writes them."""
        desk = self.site.desk()
        text = desk.catalogue.agreement(agreement)
        counts = DeliveryCounts(3, 0, 0, 3, 1, "5a" * 32)
        with self.connect() as connection:
            number = transfers.open_transfer(connection, "deliver", agreement, text.version, NOW)
            delivery = f"{deliveries.own_ids(agreement, number)}ab12"
            transfers.record_delivery_id(connection, number, delivery)
            content = {
                "kind": "deliver",
                "outcome": "confirmed",
                "agreement": agreement,
                **receipts.terms(text, None),
                "delivery": delivery,
                "at": NOW.isoformat(),
                "sent_rows": counts.sent_rows,
                "digest": counts.digest,
                "columns": list(text.names),
                "rules": {"PR-01": ["passed", 3, 0]},
                "checkpoint": receipts.last_checkpoint(connection),
            }
            with connection.transaction():
                transfers.record_confirmed(connection, number, counts, NOW)
                made = receipts.issue(connection, number, content, desk.signer)
                digest = sha256(made.body.encode()).hexdigest()
                told = {"transfer": number, "delivery": delivery, "receipt": digest}
                audit.append(connection, "delivery.confirmed", agreement, "tester", told)
            audit.checkpoint(connection, desk.signer)
        return number

    def ticket(self, statement: str = "出生日期不对", agency: str = "health") -> int:
        with self.connect() as connection:
            return tickets.open_ticket(connection, challenge(statement, agency))

    def attach(self, ticket: int, content: bytes = b"evidence") -> int:
        """A file of a ticket, as its challenger sends it; its number."""
        desk, new = self.site.desk(), NewAttachment("txt", content, "hrss", "hrss", NOW)
        with self.connect() as connection, connection.transaction():
            return attachments.add(connection, ticket, new, desk.keys, desk.suite).number

    def audit(self) -> list[tuple[object, ...]]:
        with self.connect() as connection:
            return connection.execute(
                "SELECT kind, subject, actor, " + WHOLE + " FROM ledger.audit ORDER BY seq"
            ).fetchall()


def row(person: str, *reasons: Reason) -> Row:
    """A row of the register of deaths without a name; `person` stands in the place of the key."""
    values: dict[str, str | None] = {
        "person_id18": person,
        "person_name": None,
        "death_date": "2026-11-01",
        "source_seq": "7",
    }
    return Row(values, reasons or (Reason("person_name", "required"),))


def challenge(statement: str, agency: str) -> NewTicket:
    dataset = {"health": "health/death_notice", "education": "education/edu_enrolment"}[agency]
    return NewTicket(
        agency=agency,
        opened_for="hrss",
        opened_by="hrss",
        kind="finding",
        dataset=dataset,
        statement=statement,
        opened_at=NOW - timedelta(days=1),
        due_on=NOW.date(),
        rule="required",
        field="name",
    )


@pytest.fixture(scope="module")
def hub(quick_postgres: str, shared_folder: Path) -> Iterator[str]:
    """A migrated database for all tests of a file."""
    with empty_hub(quick_postgres, shared_folder) as address:
        with database.connect(address, autocommit=True) as connection:
            approve(connection, APPROVED)
        yield address


def approve(connection: Connection, agreement: str) -> None:
    agreement_lives.approve(
        connection, catalogue.load().agreement(agreement), "演练批准人", "批〔1〕号"
    )


@pytest.fixture
def portal(hub: str, tmp_path: Path) -> Portal:
    """A portal with its own users, reports and forms' key."""
    users = tmp_path / "portal-users.yaml"
    users.write_text(USERS, encoding="utf-8")
    for agency in ("hrss", "health"):
        folder = tmp_path / "reports" / agency
        folder.mkdir(parents=True)
        (folder / "monthly-2026-10.zh.html").write_text(f"<p>{agency} 月报</p>", encoding="utf-8")
        (folder / "problems-2026-10.xlsx").write_bytes(b"PK workbook")
    (tmp_path / "reports" / "health" / "secret.html").write_text("no report")
    (tmp_path / "reports" / f"night-{NIGHT}.html").write_text("for engineers")
    keys.create(tmp_path / "keys.json", ["bureau"], "2026")
    settings = Settings(home=tmp_path, keys_file=tmp_path / "keys.json", fixed_now=NOW)
    site = Site(
        settings=settings,
        address=lambda: hub,
        catalogue=catalogue.load,
        desk=lambda: HubDesk(settings.model_copy(update={"database_url": hub})),
        hub=lambda who: Hub(settings.model_copy(update={"database_url": hub, "actor": who})),
        identity=whoever,
        secret=secrets.token_bytes(32),
        rule_title=title,
        users=users,
        login=lambda request: f"/login?next={request.url.path}",
        logout="/logout",
    )
    return Portal(site, tmp_path, hub, users)
