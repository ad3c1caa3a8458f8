"""Sentences of a monthly report, made of its figures and nothing else."""

from __future__ import annotations

from collections.abc import Mapping

from quality.reports import words
from quality.reports.content import Content
from quality.reports.measures import score
from quality.reports.scheme import Language, ScoringScheme

ARTICLES = (7, 9, 11, 13, 18, 19)


def lead(content: Content, scheme: ScoringScheme, language: Language) -> str:
    """The month in two sentences.

    Args:
        content: of the report.
        scheme: how it is scored.
        language: of the sentences.
    """
    say, figures = words.sayer(language), content.figures
    silent = sum(figures[f"collect.{c.id}.rows_read"] == 0 for c in content.scope.contracts)
    text = say(
        "lead",
        datasets=len(content.scope.contracts),
        read=words.number(figures["collect.total.rows_read"]),
        bad=words.number(figures["collect.total.quarantined"]),
        runs=words.number(figures["deliver.total.runs"]),
        done=words.number(figures["deliver.total.done"]),
        sent=words.number(figures["deliver.total.sent"]),
    )
    total = score(figures, "total", scheme)
    if total is not None:
        grade = scheme.grade(total).name(language)
        text += " " + say("lead_score", score=words.points(total), grade=grade)
    if silent:
        text += say("lead_silent", n=silent)
    late = sum(p.status == "overdue" for p in content.problems)
    return text + say("lead_problems", n=len(content.problems), late=late)


def articles(content: Content, version: str, language: Language) -> list[tuple[str, str, str]]:
    """For each article: its number, what it asks, what the month shows.

    Args:
        content: of the report.
        version: of the hub.
        language: of the sentences.
    """
    say, f = words.sayer(language), content.figures
    parts: Mapping[int, Mapping[str, object]] = {
        7: {"agreements": f["law.agreements"], "purposes": f["law.purposes"], "version": version},
        9: {
            "of": f["kpi.merged.of"],
            "part": f["kpi.merged.part"],
            "hits": f.get("privacy.PR-27.hits") or 0,
        },
        11: {
            "of": f["kpi.catalogued.of"],
            "part": f["kpi.catalogued.part"],
            "done": f["collect.total.done"],
            "runs": f["collect.total.runs"],
        },
        13: {
            "hits": f["law.beyond"],
            "done": f["deliver.total.done"],
            "receipts": f["deliver.total.receipts"],
        },
        18: {
            "answered": f["law.asked"],
            "refused": f["law.refused"],
            "purpose": f["law.refused.purpose"],
            "case": f["law.refused.case"],
            "quota": f["law.refused.quota"],
        },
        19: {
            "checked": f.get("privacy.PR-16.checked") or 0,
            "hits": f.get("privacy.PR-16.hits") or 0,
            "sent": f["law.bank_rows"],
        },
    }
    shown = {
        a: {k: words.number(v) if isinstance(v, int) else v for k, v in p.items()}
        for a, p in parts.items()
    }
    return [
        (words.article(a, language), say(f"law_{a}"), say(f"law_{a}_text", **shown[a]))
        for a in ARTICLES
    ]


def focus(content: Content, language: Language) -> list[str]:
    """What to work on next month: made of what went wrong, nothing else."""
    say, f = words.sayer(language), content.figures
    found = [
        say(
            "focus_rule",
            dataset=p.contract.title if language == "zh" else p.contract.id,
            rule=p.rule_title if language == "zh" else p.rule,
            n=words.number(p.failed),
        )
        for p in content.problems[:3]
        if p.severity == "error"
    ]
    for contract in content.scope.contracts:
        name = contract.title if language == "zh" else contract.id
        part, of = f[f"collect.{contract.id}.days"], f["days"]
        if int(part or 0) < int(of or 0):
            found.append(say("focus_late", dataset=name, part=part, of=of))
        failed = f[f"collect.{contract.id}.failed"]
        if failed:
            found.append(say("focus_failed", dataset=name, n=failed))
    if f["ticket.overdue"]:
        found.append(say("focus_tickets", n=f["ticket.overdue"]))
    return found or [say("focus_none")]
