"""Rules about rows: columns, scope, sensitive information, children, the deceased, payments."""

from __future__ import annotations

from datetime import date, timedelta

import polars as pl

from onecard.base.ages import latest_birth
from onecard.base.flags import flags
from onecard.model import gate_inputs
from quality.privacy.registry import NOT_APPLICABLE, Evidence, Ruling, fact, rule
from schemas.models.agreement_parts import GUARDIAN_KIND, Filter

REVIEWED_WITHIN = timedelta(days=366)
"""An impact assessment is reviewed every year (design; PIPL article 56 keeps it three years)."""


@rule("PR-03")
def columns(evidence: Evidence) -> Ruling:
    """The columns that would leave are exactly the agreement's."""
    granted, found = evidence.plan.agreement.names, tuple(evidence.rows.treated.columns)
    extra = sorted(set(found) - set(granted))
    missing = sorted(set(granted) - set(found))
    problem = ", ".join([*(f"+{n}" for n in extra), *(f"-{n}" for n in missing)])
    if not problem and found != granted:
        problem = "columns are in another order"
    return Ruling(
        checked=len(found), hits=len(extra) + len(missing) or bool(problem), detail=problem
    )


@rule("PR-04")
def scope(evidence: Evidence) -> Ruling:
    """Every row lies within the agreement's scope, looked at a second time."""
    agreement, raw = evidence.plan.agreement, evidence.rows.raw
    if agreement.mode == "statistics":
        return NOT_APPLICABLE
    outside = flags(len(raw))
    for index, condition in enumerate(agreement.scope.filters):
        if condition.min_age is None:
            held = raw[gate_inputs.filter_name(index)]
            outside |= ~raw.select(_holds(condition, held.name))[held.name].fill_null(value=False)
        elif condition.field == agreement.subject:
            born = birth_dates(raw[gate_inputs.SUBJECT])
            limit = latest_birth(evidence.plan.now.date(), condition.min_age)
            outside |= ~(born <= limit).fill_null(value=False)
    for index in range(len(agreement.scope.exists)):
        outside |= ~raw[gate_inputs.exists_name(index)].fill_null(value=False)
    return Ruling(checked=len(raw), hits=int(outside.sum()), detail=_if(outside, "outside scope"))


def _holds(condition: Filter, name: str) -> pl.Expr:
    column = pl.col(name)
    if condition.in_ is not None:
        return column.is_in(list(condition.in_))
    if condition.not_in is not None:
        return ~column.is_in(list(condition.not_in))
    return column.is_null() if condition.null else column.is_not_null()


@rule("PR-05")
def sensitive(evidence: Evidence) -> Ruling:
    """Sensitive information: an assessment on file, and separate consent of each person."""
    plan, raw = evidence.plan, evidence.rows.raw
    agreement = plan.agreement
    if agreement.mode == "statistics":
        return NOT_APPLICABLE
    fields = plan.inputs.fields
    held = [n for n, f in fields.items() if f.spi is not None]
    children = bool(agreement.child_rules)  # under 14 everything is sensitive
    if held or children:
        problem = _assessment(evidence)
        if problem:
            return Ruling(checked=len(raw), hits=len(raw), detail=problem)
    if agreement.basis.item != "13-1-1":
        return Ruling(checked=len(raw)) if held or children else NOT_APPLICABLE
    missing = raw[gate_inputs.CONSENT].is_null() | (raw[gate_inputs.CONSENT] == "")
    detail = _if(missing, "rows without separate consent")
    return Ruling(checked=len(raw), hits=int(missing.sum()), detail=detail)


def _assessment(evidence: Evidence) -> str:
    """What is wrong with the impact assessment, or an empty text."""
    plan = evidence.plan
    entry = plan.registers.assessments.get(plan.agreement.assessment or "")
    if entry is None or plan.agreement.id not in entry.agreements:
        return "no impact assessment covers this flow"
    if plan.now.date() - entry.reviewed > REVIEWED_WITHIN:
        return "the impact assessment was not reviewed within twelve months"
    return ""


@rule("PR-06")
def children(evidence: Evidence) -> Ruling:
    """Rows of children under 14 leave only under rules for them, with a guardian's consent."""
    plan, raw = evidence.plan, evidence.rows.raw
    agreement = plan.agreement
    if agreement.mode == "statistics":
        return NOT_APPLICABLE
    if agreement.child_rules is not None:
        if agreement.child_rules not in plan.registers.child_rules:
            return Ruling(checked=len(raw), hits=len(raw), detail="no such rules for children")
        if agreement.basis.item != "13-1-1":
            return Ruling(checked=len(raw))
    stays = is_child(raw[gate_inputs.SUBJECT], plan.now.date())
    if agreement.child_rules is not None:
        stays &= (raw[gate_inputs.CONSENT_KIND] != GUARDIAN_KIND).fill_null(value=True)
    detail = _if(stays, "children's rows stay back")
    return Ruling(checked=len(raw), hits=int(stays.sum()), detail=detail, withheld=stays)


@rule("PR-29")
def ended(evidence: Evidence) -> Ruling:
    """Rows of the deceased and of people whose cards are all cancelled stay back."""
    agreement, raw = evidence.plan.agreement, evidence.rows.raw
    if agreement.mode == "statistics" or agreement.after_death == "deliver":
        return NOT_APPLICABLE
    stays = raw[gate_inputs.ENDED].fill_null(value=True)
    detail = _if(stays, "rows of ended persons stay back")
    return Ruling(checked=len(raw), hits=int(stays.sum()), detail=detail, withheld=stays)


@rule("PR-16")
def activated(evidence: Evidence) -> Ruling:
    """Who is paid, or whose bank account leaves, has activated the financial function."""
    plan, raw = evidence.plan, evidence.rows.raw
    if not plan.inputs.financial:
        return NOT_APPLICABLE
    if plan.agreement.mode == "statistics":
        return fact("a bank account in statistics")
    idle = ~raw[gate_inputs.ACTIVE].fill_null(value=False)
    detail = _if(idle, "financial account is not activated")
    return Ruling(checked=len(raw), hits=int(idle.sum()), detail=detail)


def birth_dates(numbers: pl.Series) -> pl.Series:
    """Birth dates in ID numbers (GB 11643, digits 7 to 14); NULL where there is none."""
    return numbers.str.slice(6, 8).str.to_date("%Y%m%d", strict=False)


def is_child(numbers: pl.Series, on: date) -> pl.Series:
    """Who is under 14 on a day (`onecard.base.ages`); an unreadable birth date is a child's."""
    return (birth_dates(numbers) > latest_birth(on, gate_inputs.CHILD_YEARS)).fill_null(value=True)


def _if(found: pl.Series, text: str) -> str:
    return text if found.any() else ""
