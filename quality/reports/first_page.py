"""The first page of a monthly report: what to know and what to do, on one sheet (A4)."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup

from quality.reports import words
from quality.reports.content import Content
from quality.reports.marked_numbers import MarkedNumbers
from quality.reports.marked_standings import MarkedStandings
from quality.reports.names import Names
from quality.reports.scheme import ScoringScheme
from quality.reports.standings import TOTAL
from quality.reports.tasks import FIRST, Task, tasks
from quality.reports.worse import worse


class FirstPage:
    """Sentences and lines of the first page."""

    def __init__(
        self,
        scheme: ScoringScheme,
        names: Names,
        found: Content,
        numbers: MarkedNumbers,
        standings: MarkedStandings,
    ) -> None:
        """Take what it is made of.

        Args:
            scheme: how the month is scored.
            names: in the language of the page.
            found: of the month.
            numbers: of the month, as elements.
            standings: likewise.
        """
        self._scheme, self._names, self._found = scheme, names, found
        self._numbers, self._standings, self._say = numbers, standings, names.say

    def context(self) -> dict[str, Any]:
        """What the template shows."""
        todo = [(self._task(t), self._names.steward(t.agency), t.due) for t in self._tasks()]
        return {
            "lead": self.lead(),
            "worse": worse(self._found, self._scheme),
            "todo": todo,
            "first_todo": todo[:FIRST],
            "restated": any(s.restated and s.rows for s in self._found.scores),
        }

    def _tasks(self) -> list[Task]:
        return tasks(self._found, self._scheme)

    def lead(self) -> Markup:
        """The month in a few sentences."""
        found, num = self._found, self._numbers.num
        parts = [self._verdict()]
        parts.append(
            self._said(
                "lead",
                datasets=len(found.scope.contracts),
                read=num("collect.total.rows_read"),
                bad=num("collect.total.quarantined"),
                runs=num("deliver.total.runs"),
                done=num("deliver.total.done"),
                sent=num("deliver.total.sent"),
            )
        )
        silent = sum(not found.figures[f"collect.{c.id}.rows_read"] for c in found.scope.contracts)
        if silent:
            parts.append(self._said("lead_silent", n=silent))
        parts.append(
            self._said("lead_problems", n=num("kpi.overdue.of"), late=num("kpi.overdue.part"))
        )
        between = Markup(" ") if self._names.language == "en" else Markup()
        return between.join(p for p in parts if p)

    def _verdict(self) -> Markup:
        """Level, change and grade, and what keeps the grade down."""
        marked, standing = self._standings, self._found.standings.get(TOTAL)
        if standing is None or standing.place is None:
            return Markup()
        earlier = self._found.earlier.get(TOTAL)
        compared = earlier is not None and earlier.place is not None
        text = self._said(
            "lead_grade" if compared else "lead_grade_first",
            grade=marked.graded(TOTAL),
            score=marked.scored(TOTAL),
            before=marked.graded(TOTAL, previous=True),
            change=marked.score_moved(TOTAL),
        )
        if standing.caps:
            reached = marked.grade(standing.by_score)
            text += self._said("lead_capped", by_score=reached, why=marked.why(TOTAL))
        return text

    def _task(self, task: Task) -> Markup:
        """A task in words; its numbers are those of the tables behind."""
        num = self._numbers.num
        values: dict[str, object] = {}
        if task.contract is not None:
            key = f"collect.{task.contract.id}"
            values |= {"dataset": self._names.title(task.contract), "of": num("days")}
            values |= {"part": num(f"{key}.days"), "n": num(f"{key}.failed")}
        if task.problem is not None:
            values |= {"rule": self._names.rule(task.problem), "rows": num(task.problem.key)}
            values |= {"due": task.problem.due}
        if task.kind == "overdue":
            values |= {"n": num(f"overdue.{task.unit}.part")}
        if task.kind == "tickets":
            values |= {"n": num("ticket.overdue")}
        return self._said(f"task_{task.kind}", **values)

    def _said(self, key: str, **values: object) -> Markup:
        return words.marked(self._say(key), **values)
