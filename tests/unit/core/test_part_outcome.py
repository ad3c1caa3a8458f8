"""Partitions together: counts, digests and checkpoints as one reading has them."""

from __future__ import annotations

import json
from dataclasses import asdict

import numpy as np

from onecard.collect.intake import IntakeResult
from onecard.collect.part_outcome import PartOutcome, merged, together
from onecard.model.transfers import Counts
from onecard.ports.fakes import AnyOptions
from onecard.ports.row_gate import Reason
from onecard.ports.source import ReadRequest
from onecard.store.known_hashes import KnownHashes

WHOLE = ReadRequest("hrss/thing", (), AnyOptions())


def part(read: int, digest: str = "d", **more: object) -> PartOutcome:
    return PartOutcome(counts=asdict(Counts(rows_read=read)), digest=digest, **more)  # type: ignore[arg-type]


def test_it_survives_the_ledger() -> None:
    taken = IntakeResult(
        counts=Counts(rows_read=9, unchanged=5, quarantined=1),
        checkpoint={"cursor": "2026-11-10T00:00:00+08:00"},
        digest="d",
        rules={Reason("v", "length"): 1},
        warnings={Reason("", "odd"): 2},
        remarks=("said",),
        there=9,
        counties=({"410102": 9}, {"410102": 1}),
    )
    outcome = PartOutcome.of(taken, None)
    again = PartOutcome.from_json(json.loads(json.dumps(outcome.json())))
    assert (again.staged, again.quarantined) == (3, 1)
    found = together([again], None, WHOLE)
    assert (found.counts, found.rules, found.warnings, found.counties, found.there) == (
        taken.counts,
        taken.rules,
        taken.warnings,
        taken.counties,
        taken.there,
    )


def test_sums() -> None:
    parts = [part(2, there=2, remarks=["a", "b"]), part(3, there=3, remarks=["b"])]
    found = together(parts, None, WHOLE)
    assert (found.counts.rows_read, found.there, found.remarks) == (5, 5, ("a", "b"))


def test_the_digest_is_of_the_partitions_in_their_order() -> None:
    one, other = part(1, "a"), part(1, "b")
    forth, back = together([one, other], None, WHOLE), together([other, one], None, WHOLE)
    assert forth.digest == together([one, other], None, WHOLE).digest != back.digest


def test_a_published_row_met_in_two_partitions_is_unchanged_once() -> None:
    """Each partition counts it as unchanged; the second time it repeats."""
    counts = asdict(Counts(rows_read=2, unchanged=2))
    parts = [PartOutcome(counts=counts, known=True, found=2) for _ in range(2)]
    known = KnownHashes.merged(np.array([7, 8, 8, 9]), np.array([1, 2, 1, 2]), 4)
    found = together(parts, known, WHOLE).counts
    assert (found.rows_read, found.unchanged, found.deduplicated) == (4, 3, 1)


def test_what_was_met_last_is_kept_whoever_met_it() -> None:
    late = 5 - (1 << 62)
    known = KnownHashes.merged(np.array([8, 7, 8, 7]), np.array([3, late, 9, 4]), 4)
    assert (known.met, known.repeats) == (2, 2)
    assert known.last_places(np.array([7, 8, 9])) == {7: 4, 8: 9}
    assert KnownHashes.merged(np.array([], np.int64), np.array([], np.int64), 0).met == 0


def test_only_the_partition_that_counted_knows_the_whole() -> None:
    request = ReadRequest("hrss/thing", (), AnyOptions(), cursor="at", since="2026-11-10")
    assert together([part(1, there=40), part(2)], None, request).there == 40
    assert together([part(1, there=1), part(2)], None, WHOLE).there is None


def test_the_highest_cursor_is_that_of_the_whole() -> None:
    """No partition's is past the moment at which all began, so none can be too high."""
    cursors = ["2026-11-10T00:00:00+08:00", "2026-11-10T00:00:00.500000+08:00"]
    assert merged([{"cursor": c} for c in cursors], {}) == {"cursor": cursors[1]}
    assert merged([{}, {}], {}) == {}


def test_a_replaced_file_is_told_by_the_partition_that_read_it() -> None:
    before = {"files": {"a": "1", "b": "1"}}
    parts = [
        {"source": {"files": {"a": "2", "b": "1"}}},
        {"source": {"files": {"a": "1", "b": "1", "c": "1"}}},
    ]
    for order in (parts, parts[::-1]):
        assert merged(order, before) == {"source": {"files": {"a": "2", "b": "1", "c": "1"}}}
