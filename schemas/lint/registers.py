"""What can be wrong between the registers and the agreements that refer to them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from onecard.errors import unknown
from schemas.models import codes
from schemas.models.agreement import Agreement
from schemas.models.catalogue import Catalogue
from schemas.models.problem import InvalidFile, Problem
from schemas.models.registers import Registers
from schemas.models.strict_yaml import Document, parse
from schemas.models.values import build


def check(file: Path, catalogue: Catalogue) -> Iterator[Problem]:
    """All problems of the registers, and of what agreements look for in them."""
    try:
        document = parse(file)
        found = build(Registers, document.data, document)
    except InvalidFile as error:
        yield from error.problems
        return
    for name, project in found.projects.items():
        if project.purpose not in codes.codes("purpose"):
            message = unknown("purpose", project.purpose, codes.codes("purpose"))
            yield document.problem(f"projects.{name}.purpose", "register.unknown_purpose", message)
    named = {f.stem for f in file.parent.glob("agreements/*.yaml")}  # broken ones as well
    for kind in ("assessments", "notices"):
        for name, entry in getattr(found, kind).items():
            for agreement in set(entry.agreements) - named:
                message = unknown("agreement", agreement, named)
                place = f"{kind}.{name}.agreements"
                yield document.problem(place, "register.unknown_agreement", message)
    for agreement in catalogue.agreements.values():
        yield from _references(document, found, agreement)


def _references(document: Document, found: Registers, agreement: Agreement) -> Iterator[Problem]:
    registers = {
        "projects": agreement.project,
        "assessments": agreement.assessment,
        "notices": agreement.notice,
        "entrustments": agreement.entrustment,
        "grades": agreement.grade,
        "child_rules": agreement.child_rules,
    }
    for name, wanted in registers.items():
        entries = getattr(found, name)
        if wanted is not None and wanted not in entries:
            message = f"{agreement.id} names it: " + unknown("entry", wanted, entries)
            yield document.problem(name, "register.missing", message)
    if agreement.basis.statute not in found.statutes and "249" not in agreement.basis.statute:
        message = f"{agreement.id}: " + unknown("statute", agreement.basis.statute, found.statutes)
        yield document.problem("statutes", "register.unknown_statute", message)
