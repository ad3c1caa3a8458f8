"""bench/RESULTS.md: sections between markers, each written by its own bench and kept by others."""

from __future__ import annotations

import re
from pathlib import Path

FILE = Path(__file__).with_name("RESULTS.md")


def put(file: Path, name: str, text: str) -> None:
    """Write one section; every other section of the page stays as it is.

    Args:
        file: the page; made when it is missing.
        name: of the section, as its markers `<!-- name -->` and `<!-- end of name -->` say.
        text: what stands between the markers, in Markdown.
    """
    page = file.read_text(encoding="utf-8") if file.exists() else "# Benchmark results\n"
    begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    section = f"{begin}\n{text.strip()}\n{end}\n"
    known = re.compile(re.escape(begin) + ".*?" + re.escape(end) + r"\n?", re.DOTALL)
    if known.search(page):
        page = known.sub(lambda _: section, page, count=1)
    else:
        page = f"{page.rstrip()}\n\n{section}"
    file.write_text(page, encoding="utf-8")
