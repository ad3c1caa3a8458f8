"""Patterns of the semantic types as regular expressions of the suites."""

from __future__ import annotations

import re

from onecard.base.blanks import BLANKS

_CONTROLS = [*map(chr, range(32)), "\x7f", "\ufffd"]


def portable(pattern: str) -> str:
    r"""A Rust pattern on the whole text as one that Python and PostgreSQL read alike.

    `\x{4e00}` becomes the character itself, the ends become `\A` and `\Z`.
    """
    plain = re.sub(r"\\x\{([0-9a-fA-F]+)\}", lambda m: chr(int(m[1], 16)), pattern)
    return rf"\A(?:{plain})\Z"


def admits_controls(regex: str) -> bool:
    """Whether text that matches could hold a control character (in doubt: yes)."""
    return _admits(regex, _CONTROLS)


def admits_blanks(regex: str) -> bool:
    """Whether text that matches could hold a blank, of any width (in doubt: yes)."""
    return _admits(regex, list(BLANKS))


def _admits(regex: str, characters: list[str]) -> bool:
    body = regex.removeprefix(r"\A").removesuffix(r"\Z")
    classes = re.findall(r"\[[^\]]*\]", body)
    rest = re.sub(r"\[[^\]]*\]", "", body)
    if any(c in rest for c in (".", "\\", *characters)):
        return True
    return any(re.fullmatch(c, character) for c in classes for character in characters)
