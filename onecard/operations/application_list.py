"""From agreements, registers and the ledger to the public list of applications."""

from __future__ import annotations

from pathlib import Path

from onecard.base import files
from onecard.model.gate_inputs import GateInputs
from onecard.ports.desk import Desk
from onecard.stewardship.agreement_words import TREATMENTS
from onecard.store import agreement_lives, database
from quality.reports.applications_page import Application, ApplicationList, render
from schemas.models import codes
from schemas.models.agreement import Agreement

STATES = {
    "not_served": "已登记，尚未提供",
    "draft": "待批准",
    "approved": "已批准，尚未生效",
    "in_force": "生效",
    "suspended": "中止",
    "expired": "到期",
}


def write_page(desk: Desk) -> Path:
    """Write the page below the hub's reports; returns its path."""
    today, registers = desk.settings.now().date(), desk.catalogue.registers
    purposes: dict[str, list[Application]] = {}
    with database.connect(desk.address, autocommit=True) as connection:
        for _, agreement in sorted(desk.catalogue.agreements.items()):
            state = agreement_lives.life(connection, agreement, today).state
            title = f"{agreement.purpose} {codes.labels('purpose')[agreement.purpose]}"
            purposes.setdefault(title, []).append(_application(desk, agreement, STATES[state]))
    page = render(
        ApplicationList(
            registers.list_version,
            registers.list_published,
            today,
            dict(sorted(purposes.items())),
        )
    )
    return files.write(desk.settings.home / "reports" / "applications.html", page)


def _application(desk: Desk, agreement: Agreement, state: str) -> Application:
    contracts = {d: desk.catalogue.contract(d) for d in agreement.datasets}
    behind = GateInputs(agreement, contracts).fields
    fields = [
        f"{behind[f.name].title if f.name in behind else f.name}（{TREATMENTS[f.treatment]}）"
        for f in agreement.fields
    ]
    agencies = desk.catalogue.agencies
    project = desk.catalogue.registers.projects.get(agreement.project or "")
    return Application(
        id=agreement.id,
        title=agreement.title,
        version=agreement.version,
        state=state,
        dataset=contracts[agreement.dataset].title,
        provider=agencies[contracts[agreement.dataset].agency].title,
        consumer=agencies[agreement.consumer].title,
        purpose=agreement.purpose,
        project=project.title if project else "",
        basis=f"{agreement.basis.statute}{agreement.basis.article}",
        fields=fields,
        scope=agreement.scope.title,
        retention_days=agreement.retention.span.days,
        valid_to=agreement.validity.last,
    )
