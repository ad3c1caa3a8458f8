"""What is freed stays, where glibc is the C library and nobody has said otherwise."""

from __future__ import annotations

import ctypes
import os
import platform
import subprocess
import sys

import pytest

from onecard.base import allocator

STATED = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES")
KEEPS = "from onecard.base import allocator; print(allocator.keep_freed())"


def kept(**more: str) -> str:
    around = {n: v for n, v in os.environ.items() if n not in STATED}
    done = subprocess.run(
        [sys.executable, "-c", KEEPS],
        env={**around, **more},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="needs glibc")
def test_glibc_keeps_what_is_freed() -> None:
    assert kept() == "True"
    assert kept(MALLOC_ARENA_MAX="2") == "True"


@pytest.mark.parametrize("name", STATED)
def test_what_the_environment_says_stays(name: str) -> None:
    assert kept(**{name: ""}) == "False"


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in STATED:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(ctypes, "CDLL", lambda _name: object())
    assert allocator.keep_freed.__wrapped__() is False


def test_arrow_takes_the_allocator_that_the_environment_names(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ARROW_DEFAULT_MEMORY_POOL", "jemalloc")
    allocator.choose()
    assert os.environ["ARROW_DEFAULT_MEMORY_POOL"] == "jemalloc"
    monkeypatch.delenv("ARROW_DEFAULT_MEMORY_POOL")
    allocator.choose()
    assert os.environ["ARROW_DEFAULT_MEMORY_POOL"] == "system"
