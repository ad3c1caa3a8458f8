"""The night's report: from the ledger to one self-contained HTML page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path

from psycopg import sql

from onecard import __version__
from onecard.base import files
from onecard.base.sql_text import query
from onecard.model.holds import Hold
from onecard.model.transfers import Transfer
from onecard.operations import night_alerts
from onecard.ports.desk import Desk
from onecard.store import (
    database,
    holds,
    reconciliations,
    registry_indexes,
    rule_counts,
    transfer_history,
)
from onecard.store.registry_indexes import Index
from quality.reports import holding, night_report
from quality.reports.holding import HeldLine
from quality.reports.night_lines import DatasetLine, DeliveryLine, FindingLine, RuleLine
from quality.reports.night_report import NightReport
from quality.rows.rule_titles import finding_title
from quality.rows.rule_titles import title as rule_title
from schemas.models import codes
from schemas.models.odcs import UPDATED


def write_report(desk: Desk, since: int = 0) -> Path:
    """Write the report over all transfers after `since` (default: each subject's newest).

    Returns:
        Path of the HTML file.
    """
    known, now = desk.catalogue, desk.settings.now()
    with database.connect(desk.address, autocommit=True) as connection:
        every = (
            transfer_history.since(connection, since)
            if since
            else transfer_history.latest(connection)
        )
        done = [t for t in every if not known.onboarding(t.subject)]
        rules = _rule_lines(desk, connection, done)
        findings = _findings(desk, connection, done)
        held = holds.holds(connection, known)
        rates = reconciliations.rates(connection)
        alerts = night_alerts.alerts(connection, known, now)
    page = night_report.render(
        NightReport(
            date=now.date(),
            started=min((t.started_at for t in every), default=now),
            finished=max((t.finished_at or t.started_at for t in every), default=now),
            hub_version=__version__,
            datasets=_datasets(desk, done, now),
            rules=rules,
            findings=findings,
            deliveries=_deliveries(desk, done, rates),
            held=holding.lines((h for h in held if not known.onboarding(h.subject)), known, "zh"),
            alerts=alerts,
            onboarding=_onboarding(desk, every, held, now),
        )
    )
    return files.write(desk.settings.home / "reports" / f"night-{now:%Y-%m-%d}.html", page)


def _datasets(desk: Desk, done: Iterable[Transfer], now: datetime) -> list[DatasetLine]:
    return [_dataset_line(desk, t, now) for t in done if t.direction == "collect"]


def _deliveries(
    desk: Desk, done: Iterable[Transfer], rates: Mapping[str, float | None]
) -> list[DeliveryLine]:
    return [_delivery_line(desk, t, rates.get(t.subject)) for t in done if t.direction == "deliver"]


def _onboarding(
    desk: Desk, every: Iterable[Transfer], held: Iterable[Hold], now: datetime
) -> list[DatasetLine | DeliveryLine | HeldLine]:
    """Lines of what is not on board yet: what waits for a person, then the transfers."""
    known = desk.catalogue
    new = [t for t in every if known.onboarding(t.subject)]
    waits = holding.lines((h for h in held if known.onboarding(h.subject)), known, "zh")
    return [*waits, *_datasets(desk, new, now), *_deliveries(desk, new, {})]


def _dataset_line(desk: Desk, transfer: Transfer, now: datetime) -> DatasetLine:
    contract = desk.catalogue.contract(transfer.subject)
    counts = transfer.counts
    limit = contract.freshness.span
    newest = _newest(desk, contract.id)
    return DatasetLine(
        id=contract.id,
        title=contract.title,
        agency_title=desk.catalogue.agencies[contract.agency].title,
        status=transfer.status,
        read=counts.rows_read,
        published=counts.published,
        unchanged=counts.unchanged,
        quarantined=counts.quarantined,
        deduplicated=counts.deduplicated,
        filtered=counts.filtered_by_policy,
        seconds=transfer.seconds,
        freshness=newest,
        freshness_limit=limit,
        late=newest is None or now - newest > limit,
        message=transfer.message,
    )


def _newest(desk: Desk, dataset: str) -> datetime | None:
    """Time of the newest published row by its own source's clock, or of publishing."""
    contract = desk.catalogue.contract(dataset)
    name = UPDATED if UPDATED in contract.names else contract.source.cursor
    with database.connect(desk.address, autocommit=True) as connection:
        there = connection.execute(
            "SELECT to_regclass(%s)", (f"registry.{contract.table}",)
        ).fetchone()
        if name is None or there is None or there[0] is None:
            return None
        registry_indexes.make(connection, Index(contract.table, (name,)))
        row = connection.execute(
            query(
                "SELECT max({c}) FROM {t}",
                c=sql.Identifier(name),
                t=sql.Identifier("registry", contract.table),
            )
        ).fetchone()
    return row[0] if row and isinstance(row[0], datetime) else None


def _delivery_line(desk: Desk, transfer: Transfer, inbox: float | None) -> DeliveryLine:
    agreement = desk.catalogue.agreement(transfer.subject)
    return DeliveryLine(
        agreement=agreement.id,
        title=agreement.title,
        consumer_title=desk.catalogue.agencies[agreement.consumer].title,
        purpose=agreement.purpose,
        purpose_title=codes.labels("purpose")[agreement.purpose],
        mode=agreement.mode,
        status=transfer.status,
        rows=transfer.sent_rows,
        parts=transfer.sent_parts,
        columns=agreement.names,
        seconds=transfer.seconds,
        message=transfer.message,
        inbox=inbox,
    )


def _rule_lines(
    desk: Desk, connection: database.Connection, done: list[Transfer]
) -> list[RuleLine]:
    subjects = {t.id: t for t in done if t.direction == "collect"}
    lines = []
    for found in rule_counts.broken_rules(connection, subjects):
        transfer = subjects[found.transfer]
        contract = desk.catalogue.contract(transfer.subject)
        titles = {f.name: f.title for f in contract.fields}
        own = {r.name: r.title for r in contract.rules}
        lines.append(
            RuleLine(
                dataset=contract.id,
                field=found.field,
                field_title=titles.get(found.field, "整行"),
                rule=found.rule,
                rule_title=own.get(found.rule) or rule_title(found.rule),
                failed=found.failed,
                checked=transfer.counts.rows_read,
            )
        )
    return lines


def _findings(
    desk: Desk, connection: database.Connection, done: list[Transfer]
) -> list[FindingLine]:
    subjects = {t.id: t.subject for t in done if t.direction == "collect"}
    lines = []
    for found in rule_counts.expectations(connection, subjects):
        dataset = subjects[found.transfer]
        title = finding_title(desk.catalogue, dataset, found.name, "zh")
        severity, passed = found.severity, found.passed
        lines.append(FindingLine(dataset, found.name, title, severity, passed, found.observed))
    return lines
