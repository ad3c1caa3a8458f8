"""Sentences of a monthly report, made of its figures and nothing else."""

from __future__ import annotations

from collections.abc import Mapping

from quality.reports import words
from quality.reports.content import Content
from quality.reports.scheme import Language

ARTICLES = (7, 9, 11, 13, 18, 19)


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
