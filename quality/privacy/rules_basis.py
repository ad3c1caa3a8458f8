"""Rules about purpose and lawful basis: what the agreement and the registers say."""

from __future__ import annotations

import re
from collections.abc import Iterator

from onecard.ports.privacy_gate import Query
from quality.privacy.registry import NOT_APPLICABLE, Evidence, Ruling, fact, rule
from schemas.models import codes

STATE_ROLES = ("card_owner", "provider", "statistics")
"""Roles of state organs and authorised organisations (PIPL articles 34 and 37)."""

PUBLISHED_ONLY = "A7-13"
"""Other services: only projects of the published list (order 249, article 7, item 13)."""

OWN_POWER = {31, 34}
"""Articles of PIPL that speak of state organs' duties, or of children (with rules of their own)."""

PIPL = "中华人民共和国个人信息保护法"
_ARTICLE = re.compile(r"第([一二三四五六七八九十百]+)条")
_DIGITS = {c: n for n, c in enumerate("〇一二三四五六七八九")}


@rule("PR-26")
def share_type(evidence: Evidence) -> Ruling:
    """Type 3 is never shared; type 2 needs a document of approval."""
    plan = evidence.plan
    kinds = {d: plan.contracts[d].share_type for d in _shared(evidence)}
    closed = [d for d, kind in kinds.items() if kind == "3"]
    if closed:
        return fact(f"not shared: {', '.join(closed)}")
    approval = plan.life.approval if plan.life else None
    if "2" in kinds.values() and (approval is None or not approval.document.strip()):
        return fact("shared on conditions, but no document of approval")
    if "2" in kinds.values() and not plan.agreement.scope.title.strip():
        return fact("shared on conditions, but no condition (scope) is stated")
    return fact("")


def _shared(evidence: Evidence) -> set[str]:
    """Datasets of which fields leave."""
    agreement = evidence.plan.agreement
    aliases = {j.alias: j.dataset for j in agreement.joins}
    origins = [f.origin for f in agreement.fields if f.origin and "." in f.origin]
    return {agreement.dataset, *(aliases[o.split(".")[0]] for o in origins)}


@rule("PR-01")
def purpose(evidence: Evidence) -> Ruling:
    """One of thirteen purposes; a named project is published, in time and of that purpose."""
    plan = evidence.plan
    agreement, projects = plan.agreement, plan.registers.projects
    if agreement.purpose not in codes.codes("purpose"):
        return fact(f"no purpose of article 7: {agreement.purpose}")
    if agreement.project is None:
        needed = agreement.purpose == PUBLISHED_ONLY
        return fact(f"{PUBLISHED_ONLY} needs a published project" if needed else "")
    entry = projects.get(agreement.project)
    if entry is None or plan.registers.list_published > plan.now.date():
        return fact(f"project {agreement.project} is not published")
    if entry.purpose != agreement.purpose:
        return fact(f"project {agreement.project} has purpose {entry.purpose}")
    in_time = entry.validity.first <= plan.now.date() <= entry.validity.last
    return fact("" if in_time else f"project {agreement.project} is not in its time")


@rule("PR-18")
def single_queries(evidence: Evidence) -> Ruling:
    """Query flows: one person a call, within quota, with reason code and operator."""
    queries = evidence.plan.queries
    if evidence.plan.agreement.mode not in ("query", "verify"):
        return NOT_APPLICABLE
    if not queries:
        return fact("a query flow cannot be delivered in bulk")
    problems = dict.fromkeys(p for query in queries for p in _problems(query))
    hits = sum(any(_problems(query)) for query in queries)
    return Ruling(checked=len(queries), hits=hits, detail=", ".join(problems))


def _problems(query: Query) -> Iterator[str]:
    """What is wrong with one call."""
    if query.persons != 1:
        yield f"{query.persons} persons in one call"
    if not query.operator.strip():
        yield "no operator"
    if not query.reason.strip():
        yield "no reason code"
    if query.calls_last_hour >= query.quota_per_hour:
        yield "quota exceeded"


@rule("PR-02")
def lawful_basis(evidence: Evidence) -> Ruling:
    """An item of PIPL 13(1), and an article of a law or administrative regulation."""
    statistics = evidence.plan.agreement.mode == "statistics"
    return fact(_statute(evidence) or ("" if statistics else _item(evidence)))


def _statute(evidence: Evidence) -> str:
    """What is wrong with the statute and article that are named."""
    basis = evidence.plan.agreement.basis
    statute = evidence.plan.registers.statutes.get(basis.statute)
    if "249" in basis.statute or (statute is not None and statute.kind == "municipal_rule"):
        return "a municipal rule alone is no basis for personal information"
    if statute is None:
        return "statute is not in the register"
    cited = _articles(basis.article)
    exists = cited and max(cited) <= statute.articles and min(cited) >= 1
    return "" if exists else "article does not exist in the statute"


def _item(evidence: Evidence) -> str:
    """What is wrong with the item of PIPL article 13(1)."""
    agreement = evidence.plan.agreement
    basis = agreement.basis
    if basis.item == "none":
        return "no item of PIPL article 13(1)"
    if (basis.item == "13-1-1") != (agreement.consent is not None):
        return "basis of consent and a consent register go together"
    state = evidence.plan.agencies[agreement.consumer].role in STATE_ROLES
    own_power = basis.statute != PIPL or bool(OWN_POWER & set(_articles(basis.article)))
    if state and basis.item == "13-1-3" and not own_power:
        return "a state organ needs PIPL article 34 or its own statute"
    return ""


def _articles(text: str) -> list[int]:
    return [_number(found) for found in _ARTICLE.findall(text)]


def _number(text: str) -> int:
    """A Chinese numeral below 1000."""
    total, digit = 0, 0
    for character in text:
        if character in _DIGITS:
            digit = _DIGITS[character]
        else:
            unit = 100 if character == "百" else 10
            total, digit = total + (digit or 1) * unit, 0
    return total + digit


@rule("PR-25")
def entrusted(evidence: Evidence) -> Ruling:
    """An entrusted party has a contract in force, without sub-entrustment."""
    plan = evidence.plan
    if plan.agencies[plan.agreement.consumer].role != "entrusted_operator":
        return NOT_APPLICABLE
    entry = plan.registers.entrustments.get(plan.agreement.entrustment or "")
    if entry is None or entry.party != plan.agreement.consumer:
        return fact("no contract of entrustment with the consumer")
    if entry.sub_entrustment:
        return fact("the contract allows sub-entrustment")
    in_time = entry.validity.first <= plan.now.date() <= entry.validity.last
    return fact("" if in_time else "the contract of entrustment is not in its time")


@rule("PR-24")
def notice(evidence: Evidence) -> Ruling:
    """A published notice to residents covers the flow."""
    plan = evidence.plan
    entry = plan.registers.notices.get(plan.agreement.notice or "")
    if entry is None or plan.agreement.id not in entry.agreements:
        return fact("no notice covers this flow")
    return fact("" if entry.published <= plan.now.date() else "the notice is not published yet")
