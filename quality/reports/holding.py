"""What waits for a person, as a report says it: why, who may release it, and how."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from onecard.model.holds import Hold
from quality.reports import words
from quality.reports.scheme import Language
from quality.rows.rule_titles import finding_title
from schemas.models.catalogue import Catalogue


@dataclass(frozen=True, slots=True)
class HeldLine:
    """One hold in one language; `key` is that of its page in the portal."""

    subject: str
    title: str
    why: str
    who: str
    how: str
    status: str = "held"
    key: str = ""

    @property
    def message(self) -> str:
        """Why it is held, under the name that failed transfers have for it."""
        return self.why

    @property
    def advice(self) -> str:
        """Who may release it, and how."""
        return f"{self.who}：{self.how}"


def lines(found: Iterable[Hold], known: Catalogue, language: Language) -> list[HeldLine]:
    """The holds, each as a line.

    Args:
        found: what is held.
        known: contracts and agreements.
        language: of the words.
    """
    return [_line(hold, known, language) for hold in found]


def _line(hold: Hold, known: Catalogue, language: Language) -> HeldLine:
    say, chinese = words.sayer(language), language == "zh"
    subjects = known.agreements if hold.kind == "deliver" else known.contracts
    subject = subjects.get(hold.subject)
    names = [finding_title(known, hold.subject, n, language) for n in hold.findings]
    comma = "、" if chinese else ", "
    agency = known.agencies.get(hold.agency)
    who = hold.who
    if agency is not None:
        who = say("held_who_agency", agency=agency.title if chinese else agency.title_en)
    return HeldLine(
        subject=hold.subject,
        title=subject.title if subject and chinese else hold.subject,
        why=say(f"held_why_{hold.kind}", findings=comma.join(names) or "—", n=hold.rows),
        who=who,
        how=say(f"held_how_{_way(hold)}", release=hold.release, again=hold.again),
        key=f"holds/{hold.key}",
    )


def _way(hold: Hold) -> str:
    if hold.overtaken:
        return "overtaken"
    if not hold.releasable:
        return "never"
    return f"{hold.kind}_released" if hold.released else hold.kind
