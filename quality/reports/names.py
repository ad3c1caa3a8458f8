"""How a report names things in its language: datasets, agencies, rules, fields, months."""

from __future__ import annotations

from datetime import date

from onecard.model.call_lines import systems
from quality.reports import words
from quality.reports.problems import ListedProblem
from quality.reports.scheme import Language
from quality.reports.standings import TOTAL
from quality.rows.rule_titles import finding_title
from schemas.models.catalogue import Catalogue
from schemas.models.contract import Contract


class Names:
    """Names in one language; the Chinese ones are those of the contracts."""

    def __init__(self, known: Catalogue, language: Language) -> None:
        """Take where the names stand, and in which language they are wanted."""
        self.known, self.language = known, language
        self.say = words.sayer(language)

    def title(self, contract: Contract) -> str:
        """A dataset's title, or its id in English."""
        return contract.title if self.language == "zh" else contract.id

    def agency(self, agency: str) -> str:
        """An agency's full name."""
        found = self.known.agencies[agency]
        return found.title if self.language == "zh" else found.title_en

    def short(self, agency: str) -> str:
        """An agency's short name, or its id in English."""
        return self.known.agencies[agency].short if self.language == "zh" else agency

    def agreement(self, agreement: str) -> str:
        """Its title, or its id where its file is gone; without any: residents' look-ups."""
        if not agreement:
            return self.say("look_ups")
        found = self.known.agreements.get(agreement)
        return found.title if found is not None and self.language == "zh" else agreement

    def caller(self, sid: str) -> str:
        """A calling system; empty: nobody was proved."""
        if not sid:
            return self.say("not_proved")
        found = systems(self.known).get(sid)
        if found is None:
            return sid
        return found.title if self.language == "zh" else found.title_en

    def steward(self, agency: str) -> str:
        """The data steward of an agency."""
        chinese = self.language == "zh"
        name = self.known.agencies[agency].short if chinese else agency + " "
        return name + self.say("steward")

    def unit(self, unit: str) -> str:
        """What is scored by itself: a dataset, an agency, or all."""
        if unit == TOTAL:
            return self.say("total")
        return self.title(self.known.contract(unit)) if "/" in unit else self.agency(unit)

    def finding(self, dataset: str, name: str) -> str:
        """A dataset-level check."""
        return finding_title(self.known, dataset, name, self.language)

    def field(self, p: ListedProblem) -> str:
        """The field of a problem; of a rule about the record: the whole record."""
        return (p.field_title if self.language == "zh" else p.field) or self.say("whole_record")

    def rule(self, p: ListedProblem) -> str:
        """The rule of a problem."""
        return p.rule_title if self.language == "zh" else p.rule

    def problem(self, p: ListedProblem) -> str:
        """Field and rule, and whose dataset broke it: no two problems have the same."""
        return f"{self.field(p)} {self.rule(p)}（{self.title(p.contract)}）"

    def month(self, month: date) -> str:
        """A month."""
        return f"{month.year}年{month.month}月" if self.language == "zh" else f"{month:%Y-%m}"

    def week(self, monday: date) -> str:
        """A week, by its number of ISO 8601."""
        year, number, _ = monday.isocalendar()
        written = str(number) if self.language == "zh" else f"{number:02}"
        return self.say("week_name", year=year, number=written)
