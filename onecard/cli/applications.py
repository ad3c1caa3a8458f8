"""From agreements, registers and the ledger to the public list of applications."""

from __future__ import annotations

from pathlib import Path

from onecard import agreements, whole_file
from onecard.agreement_words import TREATMENTS
from onecard.control import Controls
from onecard.hub import database
from onecard.timespan import duration
from onecard.wiring import Hub
from quality.applications_page import Application, ApplicationList, render
from schemas import codes
from schemas.agreement import Agreement

STATES = {
    "not_served": "已登记，尚未提供",
    "draft": "待批准",
    "approved": "已批准，尚未生效",
    "in_force": "生效",
    "suspended": "中止",
    "expired": "到期",
}


def write_page(hub: Hub) -> Path:
    """Write the page below the hub's reports; returns its path."""
    today, registers = hub.settings.now().date(), hub.catalogue.registers
    purposes: dict[str, list[Application]] = {}
    with database.connect(hub.address, autocommit=True) as connection:
        for _, agreement in sorted(hub.catalogue.agreements.items()):
            state = agreements.life(connection, agreement, today).state
            title = f"{agreement.purpose} {codes.labels('purpose')[agreement.purpose]}"
            purposes.setdefault(title, []).append(_application(hub, agreement, STATES[state]))
    page = render(
        ApplicationList(
            registers.list_version,
            registers.list_published,
            today,
            dict(sorted(purposes.items())),
        )
    )
    return whole_file.write(hub.settings.home / "reports" / "applications.html", page)


def _application(hub: Hub, agreement: Agreement, state: str) -> Application:
    contracts = {d: hub.catalogue.contract(d) for d in agreement.datasets}
    behind = Controls(agreement, contracts).fields
    fields = [
        f"{behind[f.name].title if f.name in behind else f.name}（{TREATMENTS[f.treatment]}）"
        for f in agreement.fields
    ]
    agencies = hub.catalogue.agencies
    project = hub.catalogue.registers.projects.get(agreement.project or "")
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
        retention_days=duration(agreement.retention).days,
        valid_to=agreement.validity.last,
    )
