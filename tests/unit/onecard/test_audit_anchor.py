"""The end of the anchor file: the newest checkpoints, without reading what has grown before."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from onecard.crypto import audit_format
from onecard.crypto.audit_format import ANCHOR, AuditCheckpoint, newest_anchored, read_anchor


def line(size: int) -> bytes:
    made = AuditCheckpoint(size, bytes(32), "2026-03-01T00:00:00Z", "international", "2026", b"s")
    return made.line().encode()


def test_without_an_anchor_there_is_none(tmp_path: Path) -> None:
    assert newest_anchored(tmp_path, 5) is None


@pytest.mark.parametrize("seed", range(20))
def test_it_is_the_largest_of_the_last_lines(
    tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = random.Random(seed)
    lines = [
        chance.choice([line(chance.randrange(1000)), b"", b"half a li", b"{}"]) for _ in range(60)
    ]
    (tmp_path / ANCHOR).write_bytes(b"\n".join(lines) + chance.choice([b"", b"\n"]))
    monkeypatch.setattr(audit_format, "_STEP", chance.choice([1, 7, 300, 100_000]))
    for most in (1, 5, 200):
        wanted = max(read_anchor(tmp_path)[-most:], key=lambda point: point.size, default=None)
        assert newest_anchored(tmp_path, most) == wanted


def test_what_stands_before_them_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ANCHOR).write_bytes(b"\n".join(line(size) for size in range(1, 2_000)))
    parsed: list[bytes] = []
    audit_format._checkpoint.cache_clear()
    monkeypatch.setattr(audit_format, "_STEP", 4_000)
    monkeypatch.setattr(
        audit_format,
        "_parsed",
        lambda one, source: (
            parsed.append(one) or AuditCheckpoint(len(one), b"", "", "", "", b"", source=source)
        ),
    )
    newest_anchored(tmp_path, 10)
    audit_format._checkpoint.cache_clear()
    assert len(parsed) == 10
