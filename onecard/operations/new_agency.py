"""`onecard init agency`: an agency's line, its connection as an example, a first agreement.

Nothing that is there is changed: a line is put at the end of `agencies.yaml`, files are new ones.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from onecard.base import files
from onecard.base.connections import variable_of
from onecard.errors import UsageError, unknown
from schemas.models import agreement as agreements
from schemas.models.agreement_parts import Delivery
from schemas.models.catalogue import Agencies, Catalogue
from schemas.models.contract import Contract
from schemas.models.plain_yaml import block, flow
from schemas.models.strict_yaml import parse
from schemas.models.values import build

_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
_UNSAID = "…"
"""Stands where a person writes the password; it is never asked for here."""
_YEAR = timedelta(days=365)
_MOST = 99
"""Flow numbers have two digits."""


@dataclass(frozen=True, slots=True)
class NewAgency:
    """An agency that is to be added, as `agencies.yaml` has one; it is onboarding."""

    name: str
    title: str
    short: str
    title_en: str
    role: str = "provider"

    @property
    def line(self) -> str:
        """The line of `agencies.yaml`."""
        said = {
            "title": self.title,
            "short": self.short,
            "title_en": self.title_en,
            "role": self.role,
            "onboarding": True,
        }
        return f"  {self.name}: {flow(said)}\n"


@dataclass(frozen=True, slots=True)
class NewConnection:
    """Where an agency's system is.

    Attributes:
        schema: database, service or schema, as the connection's type calls it.
        path: folder, of files on this machine.
    """

    id: str
    conn_type: str
    host: str = ""
    port: int | None = None
    schema: str = ""
    login: str = ""
    path: str = ""

    @property
    def line(self) -> str:
        """The variable for an environment file, without the password."""
        said: dict[str, Any] = {"conn_type": self.conn_type}
        said |= {"host": self.host} if self.host else {}
        said |= {"port": self.port} if self.port else {}
        said |= {"schema": self.schema} if self.schema else {}
        said |= {"login": self.login, "password": _UNSAID} if self.login else {}
        said |= {"extra": {"path": self.path}} if self.path else {}
        return f"{variable_of(self.id)}='{json.dumps(said, ensure_ascii=False)}'"


@dataclass(frozen=True, slots=True)
class FlowBasis:
    """What an agreement rests on: a person says it, nothing of it is guessed."""

    consumer: str
    purpose: str
    statute: str
    article: str
    responsible: str


def add(root: Path, agency: NewAgency) -> bool:
    """Put the agency's line at the end of `agencies.yaml`; False: it is there, nothing was changed.

    Args:
        root: folder of schemas.
        agency: the new one.

    Raises:
        UsageError: its name is none, or the file does not end with its agencies.
        InvalidFile: the file is broken, or the line is none that it takes.
    """
    if not _NAME.fullmatch(agency.name):
        msg = f"{agency.name!r} is no name: small letters, digits and underscores, a letter first"
        raise UsageError(msg)
    file = root / "agencies.yaml"
    text = file.read_text(encoding="utf-8")
    if agency.name in parse(file, text).data.get("agencies", {}):
        return False
    longer = text + ("" if text.endswith("\n") else "\n") + agency.line
    document = parse(file, longer)
    found = build(Agencies, document.data, document).agencies
    if agency.name not in found:
        msg = f"{file} does not end with its agencies: add this line to them: {agency.line.strip()}"
        raise UsageError(msg)
    files.write(file, longer)
    return True


def agreement_text(
    catalogue: Catalogue, contract: Contract, basis: FlowBasis, today: date
) -> tuple[str, str]:
    """An agreement that grants the key alone; returns its id and its text.

    It is delivered into a place beside those that the consumer has; nothing leaves before it is
    approved.

    Args:
        catalogue: with the consumer's other agreements.
        contract: of the dataset.
        basis: what it rests on.
        today: its first day.

    Raises:
        UsageError: no such consumer or one that receives nothing yet, or rows of no person.
        InvalidFile: what it rests on is none that an agreement takes.
    """
    subject = next((f.name for f in contract.fields if f.semantic == "id_number"), None)
    if subject is None:
        msg = f"{contract.id} has no field of an ID number: write its agreement by hand"
        raise UsageError(msg)
    delivery = _delivery(catalogue, basis.consumer, contract)
    name = contract.id.split("/")[1]
    number = 1 + max((int(a[1:3]) for a in catalogue.agreements), default=0)
    if number > _MOST:
        msg = "flow numbers have two digits, and all are taken: write the agreement by hand"
        raise UsageError(msg)
    known = f"f{number:02}-{contract.agency}-{basis.consumer}-{name}"
    short = catalogue.agencies[basis.consumer].short
    said: dict[str, Any] = {
        "id": known,
        "version": "0.1.0",
        "title": f"{short}：{contract.title}",
        "dataset": contract.id,
        "consumer": basis.consumer,
        "purpose": basis.purpose,
        "mode": "batch",
        "basis": {"item": "13-1-3", "statute": basis.statute, "article": basis.article},
        "responsible": basis.responsible,
        "subject": subject,
        "fields": [{"name": n, "treatment": _treatment(contract, n)} for n in contract.key],
        "key": list(contract.key),
        "scope": {"title": "全部"},
        "order": list(contract.key),
        "validity": {"from": today.isoformat(), "to": (today + _YEAR).isoformat()},
        "retention": "P90D",
        "freshness": "T+1",
        "delivery": delivery,
    }
    text = (
        "# Proposed by `onecard init agency`: it grants the key alone; nothing leaves before it\n"
        "# is approved. CHECK the basis, then name the fields that the consumer needs, and the\n"
        f"# flow in registers.yaml (notice, assessment).\n{block(said, 0)}"
    )
    agreements.load(Path(f"{known}.yaml"), text)
    return known, text


def write_agreement(root: Path, known: str, text: str) -> Path:
    """Write an agreement's file; returns it.

    Args:
        root: folder of schemas.
        known: its id.
        text: its text.

    Raises:
        UsageError: it is there.
    """
    target = root / "agreements" / f"{known}.yaml"
    if target.exists():
        msg = f"{target} is there, and is not overwritten"
        raise UsageError(msg)
    return files.write(target, text)


def _treatment(contract: Contract, name: str) -> str:
    return "token" if contract.field(name).semantic_type.token else "as_is"


def _delivery(catalogue: Catalogue, consumer: str, contract: Contract) -> dict[str, Any]:
    """A place beside another one of the consumer's inboxes."""
    if consumer not in catalogue.agencies:
        raise UsageError(unknown("consumer", consumer, catalogue.agencies))
    blocks = [a.delivery for a in catalogue.agreements_of(consumer) if a.delivery]
    if not blocks:
        msg = f"{consumer} receives nothing yet, so its inbox is not known: write it by hand"
        raise UsageError(msg)
    usual: Delivery = next((b for b in blocks if b.sealed), blocks[0])
    name = contract.table
    places: Mapping[str, str] = {
        "table": name,
        "path": f"/inbox/{name.replace('_', '-')}",
        "directory": name,
    }
    options = {k: places.get(k, v) for k, v in dict(usual.options).items() if k != "count"}
    said = {"connector": usual.connector, "connection": usual.connection, "options": options}
    return {**said, "deletes": "rows", **({"sealed": True} if usual.sealed else {})}
