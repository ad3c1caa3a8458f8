"""Bodies made from the OpenAPI document of `onecard serve`: such as it describes, and almost such."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from hypothesis import strategies as st

from onecard.base.personal import CHECK, PROVINCES, WEIGHTS
from onecard.serve.calls import ID_FORM

ANYTHING: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3)
    ),
    max_leaves=6,
)
"""Any JSON."""


@st.composite
def id_numbers(draw: Any) -> str:
    """Sound ID numbers (GB 11643), of any province."""
    province = draw(st.sampled_from(sorted(PROVINCES)))
    born = draw(st.dates(date(1900, 1, 1), date(2030, 12, 31)))
    digits = f"{province}{draw(st.integers(0, 9999)):04}{born:%Y%m%d}{draw(st.integers(0, 999)):03}"
    total = sum(int(d) * w for d, w in zip(digits, WEIGHTS, strict=True))
    return digits + CHECK[total % 11]


def described(schema: Mapping[str, Any]) -> st.SearchStrategy[Any]:
    """Values that a schema of the document describes; ID numbers are sound ones.

    Args:
        schema: of the kinds that the document has: const, text with pattern or length, object.
    """
    if "const" in schema:
        return st.just(schema["const"])
    if schema["type"] == "object":
        return st.fixed_dictionaries({n: described(s) for n, s in schema["properties"].items()})
    assert schema["type"] == "string", schema
    if schema.get("pattern") == f"^{ID_FORM}$":
        return id_numbers()
    if "maxLength" not in schema:
        return st.from_regex(schema["pattern"].replace("$", r"\Z"), fullmatch=True)
    text = st.characters(exclude_categories=["Cs", "Cc"])
    return st.text(text, min_size=schema["minLength"], max_size=min(schema["maxLength"], 20))


@st.composite
def almost(draw: Any, schema: Mapping[str, Any]) -> Any:
    """A body as described, in which one place may be anything else.

    Args:
        draw: Hypothesis's.
        schema: of a body: an object.
    """
    body = draw(described(schema))
    place, inner = body, schema
    while True:
        how = draw(st.sampled_from(("nothing", "inside", "drop", "add", "replace")))
        names = sorted(inner["properties"])
        if how == "nothing":
            return body
        if how == "add":
            place[draw(st.text(max_size=12))] = draw(ANYTHING)
            return body
        name = draw(st.sampled_from(names))
        if how == "inside" and "properties" in inner["properties"][name]:
            place, inner = place[name], inner["properties"][name]
            continue
        if how == "drop":
            del place[name]
        else:
            place[name] = draw(ANYTHING)
        return body
