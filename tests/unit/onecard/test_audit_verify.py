"""Every single-entry edit, deletion, swap, insertion and truncation of a log of 1,000 entries."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from itertools import product

import pytest

from onecard.crypto import merkle
from onecard.crypto.audit_format import AuditCheckpoint, Entry
from onecard.crypto.audit_verify import Head, verify
from tests.sampling import sampled

SIZE = 1_000
GOOD = b"good"


@cache
def log() -> tuple[Entry, ...]:
    found = []
    for number in range(1, SIZE + 1):
        body = f'{{"transfer":{number}}}'
        entry = Entry(number, "2026-11-24T02:00:00.000000Z", "kind", "subject", "actor", body, b"")
        found.append(replace(entry, leaf=entry.computed_leaf()))
    return tuple(found)


@cache
def signed(every: int = 1) -> tuple[AuditCheckpoint, ...]:
    tree, found = merkle.Tree(), []
    for entry in log():
        tree.append(entry.leaf)
        if tree.size % every == 0:
            at = "2026-11-24T02:00:00.000000Z"
            found.append(AuditCheckpoint(tree.size, tree.root(), at, "test", "2026", GOOD))
    return tuple(found)


def rewritten(entries: list[Entry], first: int = 0) -> list[Entry]:
    """As who holds the database would: numbers and leaves fit again, from index `first` on."""
    found = [replace(e, seq=n) for n, e in enumerate(entries[first:], first + 1)]
    return [*entries[:first], *(replace(e, leaf=e.computed_leaf()) for e in found)]


def judged(entries: list[Entry], every: int = 1, head: Head | None = None):
    near = signed(every)[: len(entries) + 3]  # what is signed far beyond is never reached
    return verify(entries, near, lambda c: c.signature == GOOD, head)


def test_an_untouched_log_is_good() -> None:
    tree = merkle.Tree()
    for entry in log():
        tree.append(entry.leaf)
    found = judged(list(log()), head=Head(SIZE, tuple(tree.peaks)))
    assert (found.ok, found.entries, found.first_bad, found.covered) == (True, SIZE, None, SIZE)


def damaged(how: str, place: int) -> tuple[list[Entry], int]:
    """The log with one change at an index, and the number of the first bad entry."""
    entries = list(log())
    edited = replace(entries[place], body='{"transfer":0}')
    if how == "edit":
        entries[place] = edited
    elif how == "delete":
        del entries[place]
    elif how == "swap":
        other = place + 1 if place + 1 < SIZE else place - 1
        entries[place], entries[other] = entries[other], entries[place]
        return entries, min(place, other) + 1
    elif how == "insert":
        entries.insert(place, replace(edited, seq=place + 1, leaf=edited.computed_leaf()))
    elif how == "truncate":
        del entries[place:]
    return entries, place + 1


@pytest.mark.fault("F38", "the verifier names the first bad entry")
@pytest.mark.parametrize(
    ("how", "consistent"),
    [*product(["edit", "delete", "swap", "insert"], [False, True]), ("truncate", True)],
)
@pytest.mark.parametrize("step", sampled([37, 1], [37]))
def test_every_single_change_is_found_and_named(how: str, consistent: bool, step: int) -> None:
    for place in (*range(0, SIZE, step), SIZE - 1):
        entries, first_bad = damaged(how, place)
        # Only a stretch around the change is rewritten: what lies before it is as it was, and
        # what lies after the first bad entry is never reached.
        near = entries[: place + 3]
        found = judged(rewritten(near, max(place - 1, 0)) if consistent else near)
        assert not found.ok
        assert found.first_bad == first_bad, (how, place, found.problem)
        assert found.problem


def test_a_sparse_anchor_names_the_stretch() -> None:
    entries = list(log())
    entries[449] = replace(entries[449], body='{"transfer":0}')
    found = judged(rewritten(entries), every=100)
    assert (found.ok, found.first_bad) == (False, 401)
    assert "401 and 500" in found.problem


@pytest.mark.fault("F38", "a forged checkpoint does not count")
def test_a_forged_checkpoint_is_no_checkpoint() -> None:
    forged = [replace(c, signature=b"bad") for c in signed()]
    found = verify(log(), forged, lambda c: c.signature == GOOD, None)
    assert not found.ok
    assert "signature is not valid" in found.problem


def test_the_head_must_be_that_of_the_log() -> None:
    tree = merkle.Tree()
    for entry in log()[:-1]:
        tree.append(entry.leaf)
    assert not judged(list(log()), head=Head(SIZE - 1, tuple(tree.peaks))).ok
