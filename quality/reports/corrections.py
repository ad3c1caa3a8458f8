"""What a month's report said when the month was closed, and what has been corrected since (更正).

Headlines are what a report is judged by: score and grade of each unit, and the key figures. Once a
month is closed they change only because something came right, or was answered, afterwards; then the
report is written anew, and says of each headline when it was corrected and what stood there before.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Literal

from quality.reports import words
from quality.reports.indicators import merged
from quality.reports.scheme import ScoringScheme
from quality.reports.scope import Figures, Number, ReportScope
from quality.reports.standings import Standing
from schemas.models.catalogue import Catalogue

HeadlineKind = Literal["grade", "score", "kpi"]
Headlines = dict[str, tuple[Number, ...]]
"""By `<kind>.<unit or key figure>`: the place of a grade, a score, or numerator and denominator."""


@dataclass(frozen=True, slots=True)
class Correction:
    """A headline that is not what it was.

    Attributes:
        day: on which the report was written anew.
        key: of the headline.
        old: what stood there until then.
        new: what stands there since.
    """

    day: date
    key: str
    old: tuple[Number, ...]
    new: tuple[Number, ...]

    @property
    def kind(self) -> HeadlineKind:
        """What sort of headline it is."""
        found = self.key.partition(".")[0]
        return "grade" if found == "grade" else "score" if found == "score" else "kpi"

    @property
    def name(self) -> str:
        """The unit, or the key figure."""
        return self.key.partition(".")[2]


@dataclass(frozen=True, slots=True)
class Issued:
    """A report as it was written last.

    Attributes:
        scheme: what it was judged by (`judged_by`): one that was judged otherwise stays as it is.
        headlines: what it said.
        corrections: since the month was closed, the first first.
    """

    scheme: str
    headlines: Mapping[str, tuple[Number, ...]]
    corrections: tuple[Correction, ...] = ()


def judged_by(scheme: ScoringScheme, known: Catalogue, agency: str) -> str:
    """The scheme's version, and a digest of what of the catalogue an agency's figures depend on.

    A month that was judged by other contracts, agreements or registers is not corrected by today's.

    Args:
        scheme: that judges.
        known: contracts, agreements and registers.
        agency: whose report it is.
    """
    scope = ReportScope.of(known, agency)
    contracts = [
        [
            contract.id,
            sorted(f.name for f in contract.fields if f.required),
            sorted([r.name, str(r.dimension)] for r in contract.rules),
            sorted([e.name, str(e.dimension)] for e in contract.expectations),
        ]
        for contract in scope.contracts
    ]
    agreements = [a.id for a in scope.agreements]
    told = [contracts, agreements, sorted(merged(known.registers).items())]
    text = json.dumps(told, ensure_ascii=False, default=str)
    return f"{scheme.version}+{hashlib.sha256(text.encode()).hexdigest()[:12]}"


def headlines(
    standings: Mapping[str, Standing], figures: Figures, scheme: ScoringScheme
) -> Headlines:
    """The headlines of one scope and month.

    Args:
        standings: of its units and of `total`.
        figures: with the parts of its key figures.
        scheme: which key figures there are.
    """
    found: Headlines = {}
    for unit, standing in standings.items():
        found[f"grade.{unit}"] = (standing.place,)
        score = None if standing.score is None else float(words.points(standing.score))
        found[f"score.{unit}"] = (score,)
    for kpi in scheme.kpis:
        parts = (figures.get(f"kpi.{kpi}.part"), figures.get(f"kpi.{kpi}.of"))
        found[f"kpi.{kpi}"] = parts
    return found


def corrected(before: Issued, now: Headlines, day: date) -> Issued:
    """The report once more: whatever differs is a correction of that day.

    Args:
        before: as it was written last.
        now: its headlines now.
        day: the hub's.
    """
    added = tuple(
        Correction(day, key, before.headlines[key], new)
        for key, new in now.items()
        if key in before.headlines and before.headlines[key] != new
    )
    return Issued(before.scheme, now, (*before.corrections, *added))
