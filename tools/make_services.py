"""Writes the section of web services in docs/sources.md from the options' models: `[--check]`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

import connectors  # noqa: E402 - the checkout first
from connectors.http.body import LIMIT  # noqa: E402
from connectors.http.client import BUSY  # noqa: E402
from connectors.http.options import Auth, Paginator  # noqa: E402
from connectors.rest.options import RestSource  # noqa: E402
from connectors.soap import faults  # noqa: E402
from connectors.soap.options import SoapSource, UsernameToken, Version  # noqa: E402
from schemas.models.partition import CHOICES  # noqa: E402

TARGET = ROOT / "docs" / "sources.md"
BEGIN, END = "<!-- services: tools/make_services.py -->", "<!-- end of services -->"
HEAD = (
    "Connectors `rest` (JSON over HTTP) and `soap` (SOAP over HTTP; the extra `soap`: zeep, lxml)."
    " They share calls, logins and the loop over pages (`connectors/http`). Both run through the"
    " suite of tests/connectors/test_compliance.py against servers of our own on loopback; of a"
    " service of an office none was at hand."
)


def section() -> str:
    """The section, with its markers."""
    lines = [BEGIN, "## Web services", "", HEAD, ""]
    lines += table(["", "`rest`", "`soap`"], _features())
    lines += [
        "",
        "What a SOAP fault means, whatever its HTTP status; nothing of its text is shown:",
        "",
    ]
    lines += table(["code", "is taken for"], _faults())
    return "\n".join([*lines, END])


def _features() -> list[list[str]]:
    busy = ", ".join(map(str, BUSY))
    kinds = _kinds(Auth)
    ways = get_args(UsernameToken.model_fields["password"].annotation)
    size = SoapSource.model_fields["max_bytes"].default
    return [
        ["an answer is", "JSON", f"an envelope of SOAP {_listed(get_args(Version))}, UTF-8"],
        ["what is called", "a path", "an operation of a WSDL beside the contracts"],
        ["pages", _kinds(Paginator), f"{_kinds(Paginator)}; one answer that holds all rows"],
        ["a paginator must be named", _paginated(RestSource), _paginated(SoapSource)],
        ["logins in headers", kinds, kinds],
        ["login in the message", "—", f"`username_token` as {_listed(ways)}"],
        ["asked for again", f"HTTP {busy}, breaks, time-outs", f"HTTP {busy}, breaks, time-outs"],
        ["partitions by", _listed(CHOICES["rest"]), _listed(CHOICES["soap"])],
        [
            "one answer unpacks to at most",
            f"{LIMIT // 1024**2} MB, in memory",
            f"`max_bytes`, {size // 1024**2} MB by default, on disk; rows are read piece by piece",
        ],
        [
            "delivered into",
            *("no" if k in connectors.READ_ONLY else "yes" for k in ("rest", "soap")),
        ],
    ]


def _faults() -> list[list[str]]:
    return [
        [_listed(sorted(faults.LATER)), "the service has failed: tried again later"],
        [_listed(sorted(faults.NEVER)), "what was sent is refused: a setting to mend"],
        [f"of WS-Security: {_listed(sorted(faults.LOGIN))}", "the login is refused"],
        ["any other", "the service answered what it should not"],
    ]


def _kinds(union: Any) -> str:  # noqa: ANN401 - an annotated union
    models = get_args(get_args(union)[0])
    return _listed(get_args(m.model_fields["kind"].annotation)[0] for m in models)


def _paginated(model: type[RestSource] | type[SoapSource]) -> str:
    return "yes" if model.model_fields["paginator"].is_required() else "no"


def _listed(names: Any) -> str:  # noqa: ANN401 - texts
    return ", ".join(f"`{name}`" for name in names)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of a table.

    Args:
        head: names of the columns.
        rows: cells.
    """
    lines = [list(head), ["---"] * len(head), *rows]
    return [f"| {' | '.join(line)} |" for line in lines]


def page(now: str) -> str:
    """The page with the section as it is to be.

    Args:
        now: the page as it stands.
    """
    before, _, rest = now.partition(BEGIN)
    return before + section() + rest.partition(END)[2]


def main() -> int:
    """Write the page, or with --check say whether it is as it is to be."""
    now = TARGET.read_text(encoding="utf-8")
    wanted = page(now)
    if "--check" in sys.argv:
        return int(now != wanted)
    TARGET.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
