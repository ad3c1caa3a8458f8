"""Evaluates the rules over one delivery. A rule that cannot be evaluated blocks."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from traceback import extract_tb

import polars as pl

from onecard.base.flags import flags
from onecard.ports.privacy_gate import Admitted, Batch, Plan, PrivacyBlock, RuleOutcome, RuleResult
from onecard.ports.sink import Sent
from quality.privacy.registry import Evidence, Phase, Ruling, functions, texts


class Gate:
    """The privacy gate of one delivery; implements `onecard.ports.privacy_gate.PrivacyGate`."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._checked: Counter[str] = Counter()
        self._hits: Counter[str] = Counter()
        self._details: dict[str, dict[str, None]] = defaultdict(dict)
        self._seen: set[str] = set()
        self._first = True

    def open(self) -> None:
        """Rules about agreement, registers, keys and destination; raises PrivacyBlock."""
        for _ in self._evaluate("agreement", Evidence(self._plan)):
            pass

    def check(self, batch: Batch) -> Admitted:
        """Rules about rows; raises PrivacyBlock."""
        stays = flags(len(batch.raw))
        found: dict[int, list[tuple[str, str]]] = defaultdict(list)
        evidence = Evidence(self._plan, batch, self._first)
        for name, verdict in self._evaluate("rows", evidence):
            if verdict.withheld is not None:
                stays |= verdict.withheld
            for field, rows in (verdict.quarantined or {}).items():
                for index in rows.arg_true():
                    found[index].append((field, name))
        self._first = False
        withheld = int(stays.sum())
        quarantined = {i: tuple(r) for i, r in found.items() if not stays[i]}
        if quarantined:
            held = pl.Series(range(len(stays)), dtype=pl.Int64).is_in(list(quarantined))
            stays |= held
        return Admitted(~stays, quarantined, withheld)

    def close(self, sent: Sent, passed: int) -> None:
        """Rules about the receiver's answer; raises PrivacyBlock."""
        evidence = Evidence(self._plan, sent=sent, passed=passed)
        for _ in self._evaluate("answer", evidence):
            pass

    @property
    def results(self) -> tuple[RuleResult, ...]:
        """One result per rule, in order of id."""
        return tuple(self._result(name) for name in sorted(texts()))

    def _result(self, name: str) -> RuleResult:
        outcome: RuleOutcome = "hit" if self._hits[name] else "passed"
        if name not in self._seen:
            outcome = "not_applicable"
        detail = "; ".join(self._details[name])[:500]
        action = texts()[name].action
        return RuleResult(name, action, outcome, self._checked[name], self._hits[name], detail)

    def _evaluate(self, phase: Phase, evidence: Evidence) -> Iterator[tuple[str, Ruling]]:
        for name, text in texts().items():
            if text.phase != phase:
                continue
            verdict = self._verdict(name, evidence)
            if not verdict.applicable:
                continue
            self._note(name, verdict)
            keeps = verdict.withheld is not None or verdict.quarantined is not None
            if verdict.hits and not keeps and text.action == "block":
                msg = (
                    f"{self._plan.agreement.id}: {name} {text.title} blocks"
                    f" ({verdict.hits} of {verdict.checked}): {verdict.detail}: nothing leaves"
                )
                raise PrivacyBlock(name, msg)
            yield name, verdict

    def _verdict(self, name: str, evidence: Evidence) -> Ruling:
        try:
            return functions()[name](evidence)
        except Exception as error:  # noqa: BLE001 - whatever it is, the rule was not evaluated
            frames = extract_tb(error.__traceback__)
            place = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
            self._note(name, Ruling(checked=1, hits=1, detail="not evaluated"))
            msg = (
                f"{self._plan.agreement.id}: {name} {texts()[name].title} cannot be evaluated"
                f" ({type(error).__name__} in {place}): nothing leaves"
            )
        raise PrivacyBlock(name, msg)

    def _note(self, name: str, verdict: Ruling) -> None:
        self._seen.add(name)
        self._checked[name] += verdict.checked
        self._hits[name] += verdict.hits
        if verdict.detail:
            self._details[name][verdict.detail] = None
