r"""Regular expressions as trees: those of which every text can be told byte by byte.

The syntax is that of Rust's `regex`, as Polars has it. What is not known here (look at words,
classes of Unicode, flags) gives no tree, and the pattern stays with Polars. A tree may match less
than its expression (`\d` is a digit of ASCII), never more.
"""

from __future__ import annotations

from dataclasses import dataclass

LAST = 0x10FFFF
Ranges = tuple[tuple[int, int], ...]
"""Code points from first to last, in order, apart from each other."""

_DIGITS: Ranges = ((0x30, 0x39),)
_WORD: Ranges = ((0x30, 0x39), (0x41, 0x5A), (0x5F, 0x5F), (0x61, 0x7A))
_MOST_REPEATS = 1000


class NotTold(ValueError):
    """The expression is of no form that is known here."""


@dataclass(frozen=True, slots=True)
class Sign:
    """One character of some."""

    ranges: Ranges


@dataclass(frozen=True, slots=True)
class Sequence:
    """One part after the other; none: the empty text."""

    parts: tuple[Tree, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """One of the parts."""

    parts: tuple[Tree, ...]


@dataclass(frozen=True, slots=True)
class Repeat:
    """A part `least` to `most` times; None: any number of times."""

    part: Tree
    least: int
    most: int | None


Tree = Sign | Sequence | Choice | Repeat


def tree(pattern: str) -> Tree | None:
    """The tree of a pattern that holds for a whole text; None: it stays with Polars.

    Args:
        pattern: a regular expression, with or without anchors at its ends.
    """
    try:
        reader = _Reader(pattern)
        found = reader.choice()
        reader.end()
    except (NotTold, IndexError):
        return None
    return found


def within(ranges: Ranges, taken_off: Ranges) -> Ranges:
    """The code points of `ranges` that are not in `taken_off`."""
    kept = list(ranges)
    for first, last in taken_off:
        pieces = []
        for low, high in kept:
            pieces += [(low, min(high, first - 1)), (max(low, last + 1), high)]
        kept = [(low, high) for low, high in pieces if low <= high]
    return tuple(kept)


def _joined(ranges: list[tuple[int, int]]) -> Ranges:
    joined: list[tuple[int, int]] = []
    for low, high in sorted(ranges):
        if joined and low <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], max(high, joined[-1][1]))
        else:
            joined.append((low, high))
    return tuple(joined)


class _Reader:
    """Reads one pattern from left to right."""

    def __init__(self, pattern: str) -> None:
        self._left = list(reversed(pattern))

    def _peek(self) -> str:
        return self._left[-1] if self._left else ""

    def _next(self) -> str:
        return self._left.pop()

    def _takes(self, sign: str) -> bool:
        if self._peek() == sign:
            self._left.pop()
            return True
        return False

    def end(self) -> None:
        if self._left:
            raise NotTold

    def choice(self, depth: int = 0) -> Tree:
        parts = [self._sequence(depth)]
        while self._takes("|"):
            parts.append(self._sequence(depth))
        return Choice(tuple(parts)) if len(parts) > 1 else parts[0]

    def _sequence(self, depth: int) -> Tree:
        """Parts up to `|`, `)` or the end; anchors stand at the ends of the whole only."""
        parts: list[Tree] = []
        if depth == 0:
            self._takes("^")
        while self._peek() not in ("", "|", ")"):
            if depth == 0 and self._takes("$"):
                if self._peek() not in ("", "|"):
                    raise NotTold
                break
            parts.append(self._repeated(self._one(depth)))
        return Sequence(tuple(parts))

    def _one(self, depth: int) -> Tree:
        sign = self._next()
        if sign == "(":
            return self._group(depth)
        if sign == "[":
            return Sign(self._class())
        if sign == ".":
            return Sign(within(((0, LAST),), ((0x0A, 0x0A),)))
        if sign == "\\":
            return Sign(self._escape())
        if sign in "^$*+?{}])":
            raise NotTold
        return Sign(((ord(sign), ord(sign)),))

    def _group(self, depth: int) -> Tree:
        if self._takes("?") and not self._takes(":"):
            raise NotTold
        found = self.choice(depth + 1)
        if not self._takes(")"):
            raise NotTold
        return found

    def _repeated(self, part: Tree) -> Tree:
        bounds = {"*": (0, None), "+": (1, None), "?": (0, 1)}
        if self._peek() == "{":
            least, most = self._bounds()
        elif self._peek() in bounds and self._peek():
            least, most = bounds[self._next()]
        else:
            return part
        self._takes("?")
        if self._peek() and self._peek() in "*+?{":
            raise NotTold
        return Repeat(part, least, most)

    def _bounds(self) -> tuple[int, int | None]:
        self._next()
        text = ""
        while not self._takes("}"):
            text += self._next()
        least, comma, most = text.partition(",")
        numbers = [least, *([most] if most else [])]
        if not all(n.isascii() and n.isdigit() and int(n) <= _MOST_REPEATS for n in numbers):
            raise NotTold
        return int(least), int(most) if most else None if comma else int(least)

    def _class(self) -> Ranges:
        ranges: list[tuple[int, int]] = []
        negated, exact = self._takes("^"), True
        while not self._takes("]"):
            sign = self._next()
            if sign == "[" or (sign in "&-~" and self._peek() == sign):
                raise NotTold
            found = self._escape() if sign == "\\" else ((ord(sign), ord(sign)),)
            exact = exact and len(found) == 1 and found[0][0] == found[0][1]
            if self._peek() == "-" and self._left[-2] != "]":
                found = self._range(found)
            ranges += found
        if not ranges or (negated and not exact):
            raise NotTold
        kept = _joined(ranges)
        return within(((0, LAST),), kept) if negated else kept

    def _range(self, first: Ranges) -> Ranges:
        self._next()
        sign = self._next()
        if sign in ("[", "-"):
            raise NotTold
        last = self._escape() if sign == "\\" else ((ord(sign), ord(sign)),)
        ends = (*first, *last)
        if len(ends) != 2 or any(low != high for low, high in ends) or ends[0] > ends[1]:
            raise NotTold
        return ((ends[0][0], ends[1][0]),)

    def _escape(self) -> Ranges:
        sign = self._next()
        if sign == "d":
            return _DIGITS
        if sign == "w":
            return _WORD
        if sign == "x":
            code = self._code()
            return ((code, code),)
        if sign.isascii() and not sign.isalnum() and sign.isprintable() and sign not in " <>":
            return ((ord(sign), ord(sign)),)
        raise NotTold

    def _code(self) -> int:
        if self._takes("{"):
            text = ""
            while not self._takes("}"):
                text += self._next()
        else:
            text = self._next() + self._next()
        if not text or any(c not in "0123456789abcdefABCDEF" for c in text):
            raise NotTold
        code = int(text, 16)
        if code > LAST:
            raise NotTold
        return code
