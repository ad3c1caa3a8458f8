"""Texts told byte by byte: a pattern or a list of codes as one table of states.

A deterministic automaton over the bytes of UTF-8, for the kernels of `onecard.native`. It accepts
nothing but well-formed UTF-8, since its transitions spell nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from quality.rows.patterns import Choice, Ranges, Repeat, Sequence, Sign, Tree, tree, within

_CONTROLS: Ranges = ((0x00, 0x1F), (0x7F, 0x7F), (0xFFFD, 0xFFFD))
"""What `text.control` rejects; no automaton of a pattern accepts it."""
_SURROGATES: Ranges = ((0xD800, 0xDFFF),)
_WIDTHS: Ranges = ((0x00, 0x7F), (0x80, 0x7FF), (0x800, 0xFFFF), (0x10000, 0x10FFFF))
"""Code points by the number of their bytes."""
_MOST_STATES = 20_000
_MOST_NODES = 20_000

Spans = tuple[tuple[int, int], ...]
"""One range of bytes for each byte of a character."""


@dataclass(frozen=True, slots=True)
class Automaton:
    """States and signs of the bytes; state 0 is the dead one, sign 0 that of unknown bytes.

    Attributes:
        next: state by state, the next state of each sign, times the number of signs.
        signs: by byte.
        accepts: by state.
        start: times the number of signs.
        longest: bytes of the longest accepted text; -1 where there is none.
        least: characters that a text must have besides.
        most: and may have; -1 where any number.
    """

    next: npt.NDArray[np.uint32]
    signs: npt.NDArray[np.uint8]
    accepts: npt.NDArray[np.uint8]
    start: int
    longest: int
    least: int = 0
    most: int = -1

    @property
    def loops(self) -> bool:
        """Whether it accepts any number of certain bytes, and nothing else."""
        steps, ends = self.next.tolist(), self.accepts.tolist()
        return bool(steps == [0, 0, 0, self.start] and ends == [0, 1])


@cache
def of_pattern(pattern: str) -> Automaton | None:
    """The texts that a pattern matches as a whole, without controls; None: Polars has to tell.

    Args:
        pattern: a regular expression.
    """
    found = tree(pattern)
    if found is None:
        return None
    repeated = _one_sign(found)
    graph = _Graph()
    start = graph.node()
    try:
        end = graph.add(found if repeated is None else Repeat(repeated.part, 0, None), start)
    except OverflowError:
        return None
    made = _determined(graph, start, end)
    if made is None or repeated is None:
        return made
    most = -1 if repeated.most is None else repeated.most
    return replace(made, least=repeated.least, most=most)


def _one_sign(found: Tree) -> Repeat | None:
    """A pattern of one sign many times: counting beats a state for each number."""
    while isinstance(found, Sequence) and len(found.parts) == 1:
        found = found.parts[0]
    return found if isinstance(found, Repeat) and isinstance(found.part, Sign) else None


@cache
def of_codes(codes: tuple[str, ...]) -> Automaton | None:
    """Exactly the texts of a list; None: it is too long.

    Args:
        codes: of a code list.
    """
    graph: list[dict[int, int]] = [{}, {}]
    ends = set()
    texts = [code.encode() for code in codes]
    if sum(map(len, texts)) > _MOST_STATES * 4:
        return None
    for text in texts:
        state = 1
        for byte in text:
            if byte not in graph[state]:
                graph[state][byte] = len(graph)
                graph.append({})
            state = graph[state][byte]
        ends.add(state)
    if len(graph) > _MOST_STATES:
        return None
    signs = np.zeros(256, np.uint8)
    used = sorted({byte for text in texts for byte in text})
    signs[used] = np.arange(1, len(used) + 1)
    table = np.zeros((len(graph), len(used) + 1), np.uint32)
    for state, steps in enumerate(graph):
        for byte, following in steps.items():
            table[state, signs[byte]] = following
    return _made(table, signs, ends, max(map(len, texts), default=0))


def _made(
    table: npt.NDArray[np.uint32], signs: npt.NDArray[np.uint8], ends: Iterable[int], longest: int
) -> Automaton:
    """The automaton; signs that lead to the same everywhere become one."""
    accepts = np.zeros(len(table), np.uint8)
    accepts[list(ends)] = 1
    known: dict[bytes, int] = {bytes(table[:, 0]): 0}
    kept = [known.setdefault(bytes(column), len(known)) for column in table.T.copy()]
    merged = np.array(kept, np.uint8)
    table = table[:, [kept.index(sign) for sign in range(len(known))]]
    width, signs = len(known), merged[signs]
    return Automaton((table * width).reshape(-1), signs, accepts, width, longest)


class _Graph:
    """A graph of bytes that may go several ways: Thompson's construction."""

    def __init__(self) -> None:
        self.free: list[list[int]] = []
        self.steps: list[list[tuple[int, int, int]]] = []

    def node(self) -> int:
        if len(self.free) > _MOST_NODES:
            raise OverflowError
        self.free.append([])
        self.steps.append([])
        return len(self.free) - 1

    def add(self, part: Tree, start: int) -> int:
        """Put a part behind a node; the node behind the part."""
        if isinstance(part, Sign):
            return self._sign(part, start)
        if isinstance(part, Repeat):
            return self._repeat(part, start)
        if isinstance(part, Choice):
            end = self.node()
            for one in part.parts:
                self.free[self.add(one, start)].append(end)
            return end
        for one in part.parts:
            start = self.add(one, start)
        return start

    def _sign(self, part: Sign, start: int) -> int:
        end = self.node()
        for spans in _spelled(within(part.ranges, (*_CONTROLS, *_SURROGATES))):
            here = start
            for place, (low, high) in enumerate(spans):
                there = end if place == len(spans) - 1 else self.node()
                self.steps[here].append((low, high, there))
                here = there
        return end

    def _repeat(self, part: Repeat, start: int) -> int:
        for _ in range(part.least):
            start = self.add(part.part, start)
        if part.most is None:
            loop, end = self.node(), self.node()
            self.free[start].append(loop)
            self.free[self.add(part.part, loop)].append(loop)
            self.free[loop].append(end)
            return end
        end = self.node()
        self.free[start].append(end)
        for _ in range(part.most - part.least):
            start = self.add(part.part, start)
            self.free[start].append(end)
        return end


def _determined(graph: _Graph, start: int, end: int) -> Automaton | None:
    """The graph as one that goes one way: a state for each set of nodes that is reached."""
    signs, firsts = _signs(graph)
    closed = _Closures(graph)
    known: dict[frozenset[int], int] = {frozenset(): 0, closed.of([start]): 1}
    rows: list[list[int]] = [[0] * (len(firsts) + 1)]
    ordered = list(known)
    for state in range(1, _MOST_STATES):
        if state >= len(ordered):
            break
        moves = [step for node in ordered[state] for step in graph.steps[node]]
        row = [0]
        for byte in firsts:
            reached = closed.of({to for low, high, to in moves if low <= byte <= high})
            if reached not in known:
                known[reached] = len(known)
                ordered.append(reached)
            row.append(known[reached])
        rows.append(row)
    if len(ordered) > len(rows):
        return None
    ends = [state for state, nodes in enumerate(ordered) if end in nodes]
    return _made(np.array(rows, np.uint32), signs, ends, _longest(rows, ends))


def _signs(graph: _Graph) -> tuple[npt.NDArray[np.uint8], list[int]]:
    """Bytes that no step tells apart have one sign; and one byte of each sign, from 1 on."""
    spans = {(low, high) for steps in graph.steps for low, high, _ in steps}
    cuts = sorted({low for low, _ in spans} | {high + 1 for _, high in spans})
    signs, firsts = np.zeros(256, np.uint8), []
    for low, high in pairwise(cuts):
        if any(first <= low and high - 1 <= last for first, last in spans):
            firsts.append(low)
            signs[low:high] = len(firsts)
    return signs, firsts


class _Closures:
    """Nodes with all that are reached from them without a byte."""

    def __init__(self, graph: _Graph) -> None:
        self._graph = graph
        self._known: dict[int, frozenset[int]] = {}

    def of(self, nodes: Iterable[int]) -> frozenset[int]:
        found: set[int] = set()
        for node in nodes:
            if node not in self._known:
                self._known[node] = self._reached(node)
            found |= self._known[node]
        return frozenset(found)

    def _reached(self, node: int) -> frozenset[int]:
        found, left = {node}, [node]
        while left:
            for other in self._graph.free[left.pop()]:
                if other not in found:
                    found.add(other)
                    left.append(other)
        return frozenset(n for n in found if self._graph.steps[n] or not self._graph.free[n])


def _longest(rows: list[list[int]], ends: list[int]) -> int:
    """Steps of the longest way from state 1 to an end; -1 where a way may go in a circle."""
    useful = _leading(rows, ends)
    lengths: dict[int, int] = {}
    order: list[int] = []
    degree = dict.fromkeys(useful, 0)
    following = {state: {s for s in rows[state] if s in useful} for state in useful}
    for others in following.values():
        for other in others:
            degree[other] += 1
    ready = [state for state, number in degree.items() if number == 0]
    while ready:
        state = ready.pop()
        order.append(state)
        for other in following[state]:
            lengths[other] = max(lengths.get(other, 0), lengths.get(state, 0) + 1)
            degree[other] -= 1
            if degree[other] == 0:
                ready.append(other)
    if len(order) < len(useful):
        return -1
    return max((lengths.get(state, 0) for state in ends), default=0)


def _leading(rows: list[list[int]], ends: list[int]) -> set[int]:
    """States from which an end is reached."""
    before: dict[int, set[int]] = {}
    for state, row in enumerate(rows):
        for other in row:
            before.setdefault(other, set()).add(state)
    found, left = set(ends), list(ends)
    while left:
        for state in before.get(left.pop(), ()):
            if state not in found:
                found.add(state)
                left.append(state)
    return found


def _spelled(ranges: Ranges) -> Iterator[Spans]:
    """The UTF-8 of code points (no surrogates), as ranges of bytes that stand for themselves."""
    for width, (least, most) in enumerate(_WIDTHS, start=1):
        for low, high in ranges:
            first, last = max(low, least), min(high, most)
            if first <= last:
                yield from _split(first, last, width)


def _split(first: int, last: int, width: int) -> Iterator[Spans]:
    """Ranges of one width, cut where the bytes behind a byte do not run from 80 to BF."""
    for place in range(1, width):
        tail = (1 << 6 * place) - 1
        if first & ~tail != last & ~tail:
            if first & tail:
                yield from _split(first, first | tail, width)
                yield from _split((first | tail) + 1, last, width)
                return
            if last & tail != tail:
                yield from _split(first, (last & ~tail) - 1, width)
                yield from _split(last & ~tail, last, width)
                return
    yield tuple(zip(chr(first).encode(), chr(last).encode(), strict=True))
