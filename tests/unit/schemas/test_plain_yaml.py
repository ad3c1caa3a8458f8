"""What is written as YAML is read as it was, by the strict reader."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.models.plain_yaml import block, flow
from schemas.models.strict_yaml import parse

PLAIN = st.recursive(
    st.booleans()
    | st.integers(-(10**9), 10**9)
    | st.text(st.characters(codec="utf-8"), max_size=20),
    lambda some: (
        st.lists(some, max_size=3)
        | st.dictionaries(st.text("abcxyz", min_size=1, max_size=5), some, max_size=3)
    ),
    max_leaves=8,
)


def read(text: str) -> Any:
    return parse(Path("made.yaml"), text).data


@given(PLAIN)
def test_whatever_is_written_is_read_as_it_was(data: Any) -> None:
    assert read(f"value: {flow(data)}\n") == {"value": data}
    assert read("around:\n" + block({"value": data}, 2)) == {"around": {"value": data}}


@pytest.mark.parametrize(
    "text", ["y", "no", "0123", "1:30", "~", "", "2026-01-01", "1_000", "共(\\d+)条"]
)
def test_what_readers_differ_on_is_quoted(text: str) -> None:
    assert read(f"value: {flow(text)}\n") == {"value": text}


def test_no_alias_is_written() -> None:
    same = {"a": 1}
    assert "&" not in block({"one": same, "two": same}, 0)
