"""Writes the sections of files and of platforms in docs/sources.md: `[--check]`.

What a kind of file can do is taken from its options' model; what no model tells stands here, a line
for each kind, and a kind without a line is an error. Platforms: docs/platforms.yaml.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from connectors.files.layouts import Titled  # noqa: E402 - the checkout first
from connectors.files.options import Format, PlainFormat  # noqa: E402
from onecard.operations.check_reading import FORMATS  # noqa: E402

TARGET = ROOT / "docs" / "sources.md"
BEGIN, END = "<!-- files: tools/make_sources.py -->", "<!-- end of files -->"
PLATFORMS = "<!-- platforms: tools/make_sources.py -->"
PLATFORMS_END = "<!-- end of platforms -->"
ASKED = (
    "Whether each extra can be installed from wheels alone, in the versions of requirements.lock,"
    " on Linux with Python {python}; asked of the package index on {date} by tools/platforms.py."
    " What has no wheel is built, where its maker gives the source."
)
TOLD = {
    "csv": ("first line that is not blank", "texts", "the standard library, Arrow, plain C"),
    "jsonl": ("keys of the objects", "texts, numbers as written", "the standard library, plain C"),
    "json": ("keys of the objects", "texts, numbers as written", "the standard library, plain C"),
    "parquet": ("the file's schema", "typed", "Arrow"),
    "excel": (
        "first row that is not blank",
        "texts, numbers, dates in both epochs, truths; each by its cell",
        "XLSX: the standard library, plain C; XLS: xlrd, the extra `excel`",
    ),
    "dbf": ("the table's fields", "C, N, F, D, L, I, Y, T", "NumPy"),
    "xml": ("paths of elements and attributes", "texts", "expat, of the standard library; plain C"),
    "fixed": ("the contract's `columns`", "texts", "NumPy"),
    "zip": ("as its files", "as its files", "the standard library"),
}
HEAD = (
    "Connector `files`; `format.kind` in the contract's source. Each kind runs through the suite of"
    " tests/connectors/test_compliance.py and the targets of tests/fuzz."
)
COLUMNS = (
    "kind",
    "encodings",
    "names of columns from",
    "values come as",
    "titles, totals",
    "in a ZIP",
    "`onecard check` by",
    "read by",
)
TRANSPORTS = (
    ("fs", "a folder of this machine", "—", "its files are read where they lie", "a rename"),
    ("sftp", "asyncssh", "the pinned key `host_key`", "a private copy", "a rename over it"),
    (
        "ftps",
        "ftplib, TLS for commands and data",
        "its certificate, by the system's CAs or `ca_file`",
        "a private copy, held against the size that the server says afterwards",
        "a rename; a server that renames over nothing has the older file taken away first",
    ),
    (
        "ftp",
        "ftplib, in clear text: only with `clear_text: true`",
        "nothing: the line must be protected",
        "as `ftps`",
        "as `ftps`",
    ),
)


def models(union: Any) -> dict[str, type[BaseModel]]:  # noqa: ANN401 - an annotated union
    """The models of a union of formats, by kind."""
    found = get_args(get_args(union)[0])
    return {get_args(m.model_fields["kind"].annotation)[0]: m for m in found}


def section() -> str:
    """The section, with its markers."""
    kinds, plain = models(Format), models(PlainFormat)
    if missing := set(kinds) ^ set(TOLD):
        msg = f"say in tools/make_sources.py what files of {', '.join(sorted(missing))} give"
        raise SystemExit(msg)
    lines = [
        BEGIN,
        "## Files",
        "",
        HEAD,
        "",
        f"| {' | '.join(COLUMNS)} |",
        "|" + "---|" * len(COLUMNS),
    ]
    for kind, model in kinds.items():
        names, values, reader = TOLD[kind]
        suffixes = ", ".join(f"`{s}`" for s, k in FORMATS.items() if k == kind)
        cells = (
            f"`{kind}`",
            _encodings(model),
            names,
            values,
            "`above`, `total`" if issubclass(model, Titled) else "—",
            "yes" if kind in plain else "no",
            suffixes or "the contract",
            reader,
        )
        lines.append(f"| {' | '.join(cells)} |")
    lines += [
        "",
        "| connection | by | the server is known by | a file is read | a delivery is put by |",
        "|---|---|---|---|---|",
        *(f"| `{kind}` | {' | '.join(told)} |" for kind, *told in TRANSPORTS),
        END,
    ]
    return "\n".join(lines)


def _encodings(model: type[BaseModel]) -> str:
    field = model.model_fields.get("encoding")
    if field is None:
        return "—"
    return ", ".join(
        f"`{choice}`" + (" (default)" if choice == field.default else "")
        for choice in get_args(field.annotation)
    )


def platforms() -> str:
    """The section of platforms, with its markers."""
    told = yaml.safe_load((ROOT / "docs" / "platforms.yaml").read_text(encoding="utf-8"))
    names = list(next(iter(told["extras"].values())))
    lines = [
        PLATFORMS,
        "## Extras and platforms",
        "",
        ASKED.format(python=" to ".join(told["python"]), date=told["date"]),
        "",
        f"| extra | {' | '.join(names)} |",
        "|" + "---|" * (1 + len(names)),
    ]
    for extra, lacks in told["extras"].items():
        cells = ("yes" if not p else f"no wheel of {', '.join(p)}" for p in lacks.values())
        lines.append(f"| `{extra}` | {' | '.join(cells)} |")
    return "\n".join([*lines, PLATFORMS_END])


def page(now: str) -> str:
    """The page with both sections as they are to be.

    Args:
        now: the page as it stands.
    """
    for begin, end, made in ((BEGIN, END, section()), (PLATFORMS, PLATFORMS_END, platforms())):
        before, _, rest = now.partition(begin)
        _, _, behind = rest.partition(end)
        now = before + made + behind
    return now


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
