"""What axe holds against a page, by WCAG 2.2 AA and by its own good practice."""

from __future__ import annotations

from functools import cache
from typing import Any

WCAG = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa")
PRACTICE = "best-practice"


@cache
def _axe() -> Any:
    from axe_core_python.sync_playwright import Axe

    return Axe()


def broken(page: Any, *more: str) -> list[tuple[str, list[str]]]:
    """Each rule that the page breaks as it stands in the browser, with the first elements.

    Args:
        page: whose script may be run, whatever its own policy says.
        *more: tags of rules beside those of WCAG.
    """
    asked = {
        "runOnly": {"type": "tag", "values": [*WCAG, *more]},
        "resultTypes": ["violations"],
    }
    found = _axe().run(page, options=asked)["violations"]
    return [(v["id"], [node["html"][:160] for node in v["nodes"][:3]]) for v in found]
