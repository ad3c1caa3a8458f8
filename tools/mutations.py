"""Removes one safeguard at a time and shows that a named test notices: `make mutations`.

Each mutation changes one place in a copy of the repository and runs the test that stands for it,
first on the unchanged copy, where it must pass, then on the changed one, where it must fail. The
table goes between the markers of docs/reliability.md.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "reliability.md"
BEGIN, END = "<!-- mutations -->", "<!-- end of mutations -->"
PARTS = "tests/unit/onecard/test_parts.py::test_the_identity_notices_every_term"
STEPS = (
    "tests/faults/test_double_runs.py::test_steps_run_again_after_the_publication_change_nothing"
)
REFRESH = (
    "tests/faults/test_refresh.py::test_the_old_version_stays_readable_while_a_refresh_is_killed"
)
TABLES = "tests/faults/test_source_tables.py::"
CITY = "tests/property/test_city_examples.py::"
FAILED = 1
"""pytest's exit code when tests ran and some failed; anything else proves nothing."""


@dataclass(frozen=True, slots=True)
class Mutation:
    """One safeguard taken out.

    Attributes:
        what: what is not there any more.
        file: where it stands; `old` occurs in it exactly once.
        test: the test that must fail without it.
    """

    what: str
    file: str
    old: str
    new: str
    test: str


def _term(name: str) -> Mutation:
    return Mutation(
        f"`{name}` in the identity",
        "onecard/model/transfers.py",
        f"            self.{name},\n",
        "            0,\n",
        f"{PARTS}[{name}]",
    )


MUTATIONS = (
    *map(_term, ("published", "unchanged", "quarantined", "deduplicated", "filtered_by_policy")),
    Mutation(
        "counting what is published",
        "onecard/collect/publish.py",
        "published=fate.published,",
        "published=0,",
        STEPS,
    ),
    Mutation(
        "counting what is unchanged",
        "onecard/collect/intake.py",
        "tally.unchanged += len(good) - len(fresh)",
        "tally.unchanged += 0",
        REFRESH,
    ),
    Mutation(
        "counting what is quarantined",
        "onecard/collect/intake.py",
        "tally.quarantined += len(checked.rejected)",
        "tally.quarantined += 0",
        STEPS,
    ),
    Mutation(
        "counting what is deduplicated",
        "onecard/collect/settle.py",
        "deduplicated=taken.counts.deduplicated + repeats.dropped,",
        "deduplicated=taken.counts.deduplicated,",
        REFRESH,
    ),
    Mutation(
        "counting what is filtered by policy",
        "onecard/deliver/difference.py",
        "tally.withheld += found.withheld",
        "tally.withheld += 0",
        "tests/integration/test_night.py::test_statistics_hold_no_small_group",
    ),
    Mutation(
        "the fencing token",
        "onecard/store/datasets.py",
        "if state.claim != transfer:",
        "if False:",
        "tests/faults/test_double_runs.py::test_a_newer_claim_alone_stops_an_audited_transfer",
    ),
    Mutation(
        "the overlap of two readings",
        "onecard/collect/window.py",
        "return (datetime.fromisoformat(cursor) - contract.source.overlap.span).isoformat()",
        "return datetime.fromisoformat(cursor).isoformat()",
        TABLES + "test_a_late_commit_is_found_by_the_overlap",
    ),
    Mutation(
        "the lag that the watermark keeps",
        "onecard/collect/intake.py",
        "min(max(moments), latest)",
        "max(moments)",
        TABLES + "test_a_row_of_the_future",
    ),
    Mutation(
        "dropping all but the newest row of a key",
        "onecard/collect/settle.py",
        "repeats = staged_repeats.deduplicate(*where)",
        "repeats = staged_repeats.Repeats(0, 0)",
        REFRESH,
    ),
    Mutation(
        "settling a row that equals the registry against others of its key",
        "onecard/collect/settle.py",
        "staged = staged_repeats.stage_published(*where, places) if places else 0",
        "staged = 0",
        "tests/integration/test_order_of_files.py::test_nights_together_and_apart_end_alike",
    ),
    Mutation(
        "keeping an older row from replacing a newer one",
        "onecard/store/registry.py",
        "if self.accepted:",
        "if True:",
        "tests/integration/test_order_of_tables.py::test_the_newest_by_cursor_wins",
    ),
    Mutation(
        "reading newer files again behind an older one",
        "connectors/files/read.py",
        "return self._new and self._request.file_order is not None",
        "return False",
        "tests/integration/test_order_of_files.py::test_an_old_file_that_is_issued_again",
    ),
    Mutation(
        "knowing a file that is older than one that is gone",
        "connectors/files/order.py",
        "return self._stated and gone is not None and place < gone",
        "return False",
        "tests/integration/test_order_of_files.py::test_an_old_file_when_the_newer_one_is_gone",
    ),
    Mutation(
        "knowing a row that stood on two pages",
        "connectors/http/pages.py",
        "if repeated := self._keys.repeated():",
        "if repeated := 0:",
        "tests/integration/test_order_of_pages.py::test_pages_without_a_stable_order_publish_nothing",
    ),
    Mutation(
        "knowing a repeated parcel at the consumer",
        "connectors/sql/write.py",
        "return bool(found == digest)",
        "return False",
        "tests/connectors/test_sql.py::test_a_repeat_is_known_however_it_is_batched",
    ),
    Mutation(
        "the hold of a reading that has shrunk",
        "onecard/collect/audit.py",
        "if not passed.issuperset(failed):",
        "if False:",
        TABLES + "test_a_source_that_has_shrunk_is_held",
    ),
    Mutation(
        "the hold of an unusual delivery",
        "onecard/deliver/volumes.py",
        "if len(usual) < USUAL_DELIVERIES or agreement.statistics:",
        "if True:",
        "tests/integration/test_governance_cli.py::test_an_unusual_volume_waits_for_a_person",
    ),
    Mutation(
        "looking whether a crash has emptied what was staged",
        "onecard/collect/failure.py",
        "    if lost:\n",
        "    if False:\n",
        "tests/faults/test_restart.py::test_staged_rows_that_a_crash_emptied_are_not_published",
    ),
    Mutation(
        "the hold of many deletes",
        "onecard/reconcile/dataset.py",
        "if limits.too_many(len(absent), done.rows_hub, done.rows_other) and not released:",
        "if False:",
        "tests/integration/test_reconcile.py::test_a_half_empty_source_deletes_nothing",
    ),
    Mutation(
        "settling rows of one key with those that equal the registry",
        "onecard/collect/settle.py",
        "staged = staged_repeats.stage_published(*where, places) if places else 0",
        "staged = 0",
        CITY + "test_the_last_line_of_a_reading_decides",
    ),
    Mutation(
        "ending a rejected row that its own reading overtakes",
        "onecard/collect/overtaken.py",
        "overtaken.mend(*where, [wanted[n - 1].row for n in sorted(numbers)])",
        "overtaken.mend(*where, [])",
        CITY + "test_a_rejected_line_does_not_come_back_over_a_later_one",
    ),
    Mutation(
        "keeping the newer row that is published",
        "onecard/store/registry.py",
        '        if self.accepted:\n            return query("false")\n',
        '        return query("false")\n',
        CITY + "test_an_older_state_of_a_row_replaces_nothing",
    ),
    Mutation(
        "withdrawing what left the scope",
        "onecard/deliver/difference.py",
        "        self._depart()\n",
        "",
        CITY + "test_a_yes_is_taken_back",
    ),
    Mutation(
        "looking at rows whose joined row changed",
        "onecard/deliver/candidate_sql.py",
        "                v=self._version(join.dataset),\n",
        "                v=sql.Literal(1 << 62),\n",
        CITY + "test_a_joined_row_changes",
    ),
    Mutation(
        "looking at rows of people whose cards or death changed",
        "onecard/deliver/candidate_sql.py",
        "met += [(dataset, {subject: PERSON}) for dataset in self._looked_up()]",
        "met += []",
        CITY + "test_a_death_is_taken_back",
    ),
    Mutation(
        "the newest consent, not any",
        "onecard/deliver/gate_input_sql.py",
        "AND c._deleted_at IS NULL ORDER BY",
        "AND c._deleted_at IS NULL AND c.withdrawn_at IS NULL ORDER BY",
        CITY + "test_the_newest_consent_decides",
    ),
    Mutation(
        "leaving out what the consumer has as it is",
        "onecard/deliver/difference.py",
        "send = leave & ~same if not self.wanted.every else leave",
        "send = leave",
        CITY + "test_what_a_consumer_has_is_not_sent_again",
    ),
    Mutation(
        "keeping on record what waits to be dropped",
        "onecard/reconcile/inbox.py",
        "rows.entries(LAPSED, QUARANTINED, WAITING)",
        "rows.entries(LAPSED, QUARANTINED)",
        CITY + "test_a_row_that_waits_to_be_dropped_stays_on_record",
    ),
    Mutation(
        "coming of age between two deliveries",
        "onecard/deliver/candidate_sql.py",
        "            if first < last:\n",
        "            if False:\n",
        CITY + "test_who_was_born_on_a_leap_day_comes_of_age",
    ),
    Mutation(
        "rows that a person let pass on the consumer's record",
        "onecard/deliver/record.py",
        "        if len(held):\n",
        "        if False:\n",
        CITY + "test_a_released_row_is_on_record",
    ),
)


def misplaced() -> list[str]:
    """Mutations whose text does not occur exactly once in its file."""
    return [
        m.what for m in MUTATIONS if (ROOT / m.file).read_text(encoding="utf-8").count(m.old) != 1
    ]


def main() -> int:
    """Apply each mutation and run its test; 1 when a test does not notice."""
    wrong = [f"not exactly once in its file: {what}" for what in misplaced()]
    lines = []
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "copy"
        _copied(copy)
        tests = sorted({m.test for m in MUTATIONS})
        code = run(copy, tests)
        if code:
            wrong.append(f"on the unchanged copy the tests end with {code}")
        for mutation in () if wrong else MUTATIONS:
            noticed = tried(copy, mutation) == FAILED
            lines.append(_line(mutation, noticed=noticed))
            sys.stdout.write(f"{lines[-1]}\n")
            sys.stdout.flush()
            if not noticed:
                wrong.append(f"nothing notices: {mutation.what}")
    if wrong:
        sys.stderr.write("\n".join(wrong) + "\n")
        return 1
    _write(lines)
    return 0


def tried(copy: Path, mutation: Mutation) -> int:
    """Exit code of the mutation's test in the changed copy, which is then put back."""
    file = copy / mutation.file
    whole = file.read_text(encoding="utf-8")
    file.write_text(whole.replace(mutation.old, mutation.new), encoding="utf-8")
    try:
        return run(copy, [mutation.test])
    finally:
        file.write_text(whole, encoding="utf-8")


def run(copy: Path, tests: list[str]) -> int:
    """Run tests of the copy with the copy's own code."""
    environment = {**os.environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests]
    done = subprocess.run(  # noqa: S603 - our own interpreter
        command, cwd=copy, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode not in (0, FAILED):
        sys.stderr.write(done.stdout[-2000:])
    return done.returncode


def _copied(target: Path) -> None:
    ignored = shutil.ignore_patterns(
        ".venv", ".git", ".onecard", ".bench", "__pycache__", ".*_cache"
    )
    shutil.copytree(ROOT, target, ignore=ignored)


def _line(mutation: Mutation, *, noticed: bool) -> str:
    test = mutation.test.replace("tests/", "", 1)
    return f"| {mutation.what} | `{test}` | {'fails' if noticed else '**passes**'} |"


def _write(lines: list[str]) -> None:
    page = PAGE.read_text(encoding="utf-8")
    head, _, rest = page.partition(BEGIN)
    _, _, tail = rest.partition(END)
    table = ["| taken out | test | without it |", "|---|---|---|", *lines]
    PAGE.write_text("\n".join([f"{head}{BEGIN}", *table, END]) + tail, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
