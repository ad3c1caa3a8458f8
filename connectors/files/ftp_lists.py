"""What FTP servers list of a folder: facts by name (RFC 3659), or lines as programs print them."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Iterator

from connectors.files.folder import ListedFile
from onecard.errors import ProtocolError

_UNIX = re.compile(
    r"(?P<kind>[-a-zA-Z])[-rwxsStTlL]{9}[.+@]?\s+\d+\s+\S+\s+\S+\s+(?P<size>\d+)\s"
    r"(?P<when>[A-Za-z]{3}\s+\d{1,2}\s+(?:\d{4}|\d{1,2}:\d{2})|\d{4}-\d{2}-\d{2}\s+\d{2}:\d{2})"
    r"\s(?P<name>.+)"
)
_WINDOWS = re.compile(
    r"(?P<when>\d{2}-\d{2}-\d{2,4}\s+\d{2}:\d{2}(?:[AP]M)?)\s+(?P<size><DIR>|\d+)\s(?P<name>.+)"
)
_TOTAL = re.compile(r"total \d+", re.IGNORECASE)


def of_facts(listed: Iterable[tuple[str, dict[str, str]]], where: str) -> list[ListedFile]:
    """Plain files of a list by MLSD, by name.

    Args:
        listed: names with their facts.
        where: connection, for messages.

    Raises:
        ProtocolError: a file has no size.
    """
    found = []
    for name, facts in listed:
        if facts.get("type", "").lower() != "file" or not _sound(name):
            continue
        size = facts.get("size", "")
        if not size.isdecimal():
            msg = f"{where}: the server lists a file without its size"
            raise ProtocolError(msg)
        found.append(ListedFile(name, int(size), (_mark(facts.get("modify", "")),)))
    return sorted(found, key=lambda f: f.name)


def of_lines(lines: Iterable[str], where: str) -> list[ListedFile]:
    """Plain files of a list by LIST, by name.

    Args:
        lines: as the server prints them, in the form of `ls -l` or of Windows.
        where: connection, for messages.

    Raises:
        ProtocolError: a line is in neither form: what is there cannot be told.
    """
    return sorted(_found(lines, where), key=lambda f: f.name)


def _found(lines: Iterable[str], where: str) -> Iterator[ListedFile]:
    for line in lines:
        text = line.rstrip("\r\n")
        if not text.strip() or _TOTAL.fullmatch(text):
            continue
        unix, windows = _UNIX.fullmatch(text), _WINDOWS.fullmatch(text)
        match = unix or windows
        if match is None:
            msg = f"{where}: the server lists its folder in a form that is not known"
            raise ProtocolError(msg)
        plain = match["size"] != "<DIR>" and (unix is None or match["kind"] == "-")
        if plain and _sound(match["name"]):
            yield ListedFile(match["name"], int(match["size"]), (_mark(match["when"]),))


def _sound(name: str) -> bool:
    """Whether a name is one of a file in this folder, and fits a line of the protocol."""
    return bool(name) and name not in (".", "..") and not re.search(r"[/\\\r\n\0]", name)


def _mark(text: str) -> int:
    """A time of the server's as a number, only to be compared."""
    return zlib.crc32(text.encode("utf-8", "surrogateescape"))
