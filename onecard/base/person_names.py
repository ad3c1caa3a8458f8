"""When two spellings are one person's name: a declared rule with a version.

Names reach the hub from systems of different ages. What differs by writing alone is taken away:

1. Compatibility forms: full and half width, compatibility ideographs (Unicode NFKC).
2. Characters that earlier editions of GB 18030 had in the private use area, as GB 18030-2022 has
   them; variation selectors (Unicode 23.4) are dropped.
3. Dots between the parts of a name, of which there are many, and a full stop between two
   ideographs, are one: U+00B7 (GB 18030-2022).
4. Blanks at the ends and beside ideographs or dots go, others count once; letters are capitals.

Nothing else is: simplified and traditional characters, homophones and similar shapes differ. A name
with a character that stands for one that its system did not have cannot be decided.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Literal

VERSION = "names-1"
"""Changes whenever two spellings could be judged otherwise; it stands in receipts."""

Match = Literal["match", "no_match", "undecidable"]

MOVED = {
    0xE816: 0x20087,
    0xE817: 0x20089,
    0xE818: 0x200CC,
    0xE81E: 0x9FB4,
    0xE826: 0x9FB5,
    0xE82B: 0x9FB6,
    0xE82C: 0x9FB7,
    0xE831: 0x215D7,
    0xE832: 0x9FB8,
    0xE83B: 0x2298F,
    0xE843: 0x9FB9,
    0xE854: 0x9FBA,
    0xE855: 0x241FE,
    0xE864: 0x9FBB,
}
"""Private code points of GB 18030-2000 and -2005, and where GB 18030-2022 has the characters."""

DOT = "\N{MIDDLE DOT}"
_DOTS = re.compile(r"[\u2022\u2027\u2219\u22c5\u25cf\u30fb\u16eb\u0387\u2024\uff0e\ufe52]")
_IDEOGRAPH = r"[\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U000323af]"
_STOP = re.compile(rf"(?<={_IDEOGRAPH})\s*\.\s*(?={_IDEOGRAPH})")
_BLANK = re.compile(rf"(?<={_IDEOGRAPH}|{DOT})\s+|\s+(?={_IDEOGRAPH}|{DOT})")
_BLANKS = re.compile(r"\s+")
_SELECTORS = re.compile(r"[\ufe00-\ufe0f\U000e0100-\U000e01ef\u200b-\u200f\u2060\ufeff]")
_LOST = re.compile(r"[?\ufffd\u25a0\u25a1\u3013\ue000-\uf8ff\U000f0000-\U0010ffff]")


def compare(one: str, other: str) -> Match:
    """Whether two spellings are one name, by the rule of this module."""
    mine, theirs = normalised(one), normalised(other)
    if not mine or not theirs or _LOST.search(mine) or _LOST.search(theirs):
        return "undecidable"
    return "match" if mine == theirs else "no_match"


def normalised(name: str) -> str:
    """A name without what is a matter of writing."""
    text = unicodedata.normalize("NFKC", _SELECTORS.sub("", _DOTS.sub(DOT, name)).translate(MOVED))
    text = unicodedata.normalize("NFKC", text.upper())  # capitals may be composed otherwise
    text = _DOTS.sub(DOT, text)  # some dots have a compatibility form that is another dot
    text = _BLANK.sub("", _STOP.sub(DOT, text))
    return _BLANKS.sub(" ", text).strip()
