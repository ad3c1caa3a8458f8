"""Names that come from outside, as a message, a page or a record may show them.

Columns: what stands in a header's place may be a row of data. Nothing of it is shown but names of
the contract where none of these stands there, where one of the others has many digits or personal
data in it, and where more strange names stand there than known ones are lacking. Files: people
write numbers of persons into names of files; those are masked, and the beginning of the file's own
digest tells one such file from another (nothing that is computed from the number could: there are
few enough numbers to try them all).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Sequence

from onecard.base.blanks import BLANKS, CONTROLS
from onecard.base.personal import find, redact

LONGEST = 64
"""Characters of a name that are shown."""
DIGEST = 10
"""Hexadecimal digits of a file's SHA-256 behind its masked name: too few for a mobile number, and
one too many for a passport's, so that a masked name is masked again to the same."""
_UNSEEN = "[" + BLANKS + CONTROLS + "]"
_AROUND = re.compile(f"^{_UNSEEN}+|{_UNSEEN}+$")
_RUN = 6
"""Digits one after the other, separators aside, from which on a name may be a number."""
_SEPARATED = re.compile(rf"{_UNSEEN}|[\-‐-―._·•,/]")
_NUMBER = re.compile(r"[-+]?[\d.,:/%-]+")
_WITH_EXTENSION = re.compile(r"(?s)(.*?)((?:\.[A-Za-z][A-Za-z0-9]{0,9}){0,3})")


def columns(header: Sequence[str], known: Collection[str], places: Iterable[int] = ()) -> str:
    """Names of columns for a message, joined by commas.

    Args:
        header: all names in the place of a header, in order.
        known: names that the contract has for them.
        places: which of them to name, from 0; none: all.
    """
    wanted = list(places) or range(len(header))
    names = tuple(_each(header, known))
    return ", ".join(names[place] for place in wanted)


def column(name: str, header: Collection[str], known: Collection[str]) -> str:
    """One column's name for a table; in parentheses what it is where the name is not shown.

    Args:
        name: as it stands in the source.
        header: all names beside which it stands.
        known: names that the contract has for them.
    """
    return _shown(name) if may_show(name, header, known) else "(name not shown)"


def may_show(name: str, header: Collection[str], known: Collection[str]) -> bool:
    """Whether a column's name is a name, and no value of a row.

    Args:
        name: as it stands in the source.
        header: all names beside which it stands.
        known: names that the contract has for them.
    """
    if name in known:
        return True
    return _are_names({name, *header}, known)


def is_header(names: Collection[str], known: Collection[str]) -> bool:
    """Whether any of the contract's names stands among these, blanks around it aside."""
    return not {bare(n) for n in names}.isdisjoint(bare(n) for n in known)


def bare(name: str) -> str:
    """A name without what is not seen around it, in normal width."""
    return unicodedata.normalize("NFKC", _AROUND.sub("", name))


def file_name(name: str, digest: str = "") -> str:
    """A file's name, or its path: personal data in it masked, controls made visible.

    Args:
        name: as its folder lists it.
        digest: SHA-256 of the file in hexadecimal, if it is known; the masked name ends in its
            beginning, and the digest of that file gives the same name again.
    """
    hidden = redact(name)
    if hidden == name:
        return _visible(name)
    whole = _WITH_EXTENSION.fullmatch(hidden)
    stem, extension = whole.groups() if whole else (hidden, "")
    mark = digest[:DIGEST] if re.fullmatch("[0-9a-f]{64}", digest) else ""
    return _visible(f"{stem}~{mark}{extension}" if mark else hidden)


def _each(header: Sequence[str], known: Collection[str]) -> Iterator[str]:
    named = _are_names(header, known)
    for place, name in enumerate(header, start=1):
        if not name:
            yield f"{place} (without a name)"
        elif named or name in known:
            yield _shown(name) + _likeness(name, known)
        else:
            yield f"{place} (name not shown)"


def _are_names(header: Collection[str], known: Collection[str]) -> bool:
    """Whether what stands in a header's place are names, none of them a value of a row."""
    others = set(header).difference(known)
    mine = is_header(header, known) and not _grown_together(header, known)
    return mine and not any(is_like_a_value(n) or _NUMBER.fullmatch(bare(n)) for n in others)


def _grown_together(header: Collection[str], known: Collection[str]) -> bool:
    """Whether a row may have grown together with the header: the end of one is a value and a name.

    Then names of the contract are lacking, and what stands there is more than these by other names.
    """
    there, wanted = {bare(n) for n in header}, {bare(n) for n in known}
    strange, lacking = there - wanted, wanted - there
    if 2 * len(strange) > len(header):
        return True
    glued = any(s.endswith(name) or s.startswith(name) for s in strange for name in lacking)
    return bool(lacking) and (len(strange) > len(lacking) or glued)


def _likeness(name: str, known: Collection[str]) -> str:
    """What a name looks like that is not quite one of the contract's."""
    if name in known:
        return ""
    like = next((k for k in known if bare(k) == bare(name)), None)
    if like is not None:
        around = "with blanks around it" if _AROUND.search(name) else "in another width"
        return f" (looks like {like} {around})"
    return " (with blanks around it)" if _AROUND.search(name) else ""


def could_be_names(header: Collection[str]) -> bool:
    """Whether what stands in a header's place may be names, where no contract says which.

    Args:
        header: all cells; none of them is empty, a number, twice there, or like a value.
    """
    bares = [bare(cell) for cell in header]
    odd = any(not b or _NUMBER.fullmatch(b) or is_like_a_value(b) for b in bares)
    return bool(bares) and not odd and len(set(bares)) == len(bares)


def is_like_a_value(name: str) -> bool:
    """Whether a name has so many digits, or such data in it, that it may be a value of a row.

    Args:
        name: as it stands in the source.
    """
    digits = "".join("0" if c.isdecimal() else c for c in _SEPARATED.sub("", name))
    return "0" * _RUN in digits or bool(find(name))


def _shown(name: str) -> str:
    cut = name if len(name) <= LONGEST else name[: LONGEST - 1] + "…"
    seen = _visible(cut)
    return f"'{seen}'" if _AROUND.search(name) or "," in name else seen


def _visible(text: str) -> str:
    """Controls, and what changes the direction of writing or is not seen, as escapes."""
    return "".join(c if c == " " or c.isprintable() else ascii(c)[1:-1] for c in text)
