"""The change of a contract's file that a drift asks for, as a unified diff; applied by a person."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import unified_diff
from pathlib import Path

from onecard.operations.drift import Change
from schemas.models.strict_yaml import Document, parse

_PATCHED = ("widened", "renamed")


@dataclass(frozen=True, slots=True)
class NewText:
    """What is replaced in a line (a regular expression), and by what."""

    pattern: str
    text: str


def patch(file: Path, changes: Iterable[Change]) -> str:
    """A diff that makes the contract fit its source; empty when nothing can be written for it.

    Renames change `physicalName` (a patch version: readers see no difference), wider columns
    `maxLength` or `decimal(p,s)` (a minor version). A new column has no diff: a person must
    classify it first.
    """
    wanted = [c for c in changes if c.kind in _PATCHED]
    before = file.read_text(encoding="utf-8")
    after = before.splitlines(keepends=True)
    document = parse(file, before)
    done = [c for c in wanted if _apply(document, after, c)]
    if not done:
        return ""
    minor = any(c.kind == "widened" for c in done)
    _raise_version(document, after, minor=minor)
    name = "/".join(file.parts[-4:]) if "schemas" in file.parts[-4:] else "/".join(file.parts[-3:])
    return "".join(
        unified_diff(before.splitlines(keepends=True), after, f"a/{name}", f"b/{name}", n=2)
    )


def _apply(document: Document, lines: list[str], change: Change) -> bool:
    properties = document.data["schema"][0]["properties"]
    place = next(i for i, p in enumerate(properties) if p.get("name") == change.field)
    at = f"schema.0.properties.{place}"
    if change.kind == "renamed":
        found = f"physicalName: {_quoted(change.found)}"
        return _replace(
            document, lines, f"{at}.physicalName", NewText(r"physicalName:\s*\S+", found)
        )
    if "," in change.found:
        found = f"decimal({change.found})"
        return _replace(
            document, lines, f"{at}.physicalType", NewText(r"decimal\(\d+,\s*\d+\)", found)
        )
    found = f"maxLength: {change.found}"
    path = f"{at}.logicalTypeOptions.maxLength"
    return _replace(document, lines, path, NewText(r"maxLength:\s*\d+", found))


def _quoted(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) else repr(name)


def _replace(document: Document, lines: list[str], path: str, new: NewText) -> bool:
    number = document.lines.get(path)
    if number is None:
        return False
    line = lines[number - 1]
    lines[number - 1], times = re.subn(new.pattern, lambda _: new.text, line, count=1)
    return times == 1


def _raise_version(document: Document, lines: list[str], *, minor: bool) -> None:
    major, middle, last = (int(part) for part in str(document.data["version"]).split("."))
    version = f"{major}.{middle + 1}.0" if minor else f"{major}.{middle}.{last + 1}"
    _replace(document, lines, "version", NewText(r"\d+\.\d+\.\d+", version))
