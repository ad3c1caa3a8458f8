"""Pictures for the documents: small, each shown somewhere, and none shown that is not there."""

from __future__ import annotations

import re
import struct
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "screenshots"
PICTURES = sorted(FOLDER.glob("*.png"))
LARGEST = 200_000
"""Bytes."""
LINK = re.compile(r"\]\((?:docs/)?screenshots/([\w.-]+\.png)\)")


def test_they_are_small_and_of_few_colours() -> None:
    assert PICTURES
    large = {p.name: p.stat().st_size for p in PICTURES if p.stat().st_size > LARGEST}
    assert large == {}
    for picture in PICTURES:
        depth, colours = struct.unpack(">BB", picture.read_bytes()[24:26])
        assert (depth, colours) == (8, 3), f"{picture.name}: not made by `make screenshots`"


def test_documents_show_them_all_and_no_other() -> None:
    documents = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    shown = {name for d in documents for name in LINK.findall(d.read_text(encoding="utf-8"))}
    assert shown == {picture.name for picture in PICTURES}
