"""What a body may be: one form, and nothing else."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onecard.serve.calls import Malformed, members, question
from tests.asked import id_number

NUMBER = id_number(1)
BODY: dict[str, Any] = {
    "request_id": "request-0001",
    "operator": "N0123",
    "purpose": "A7-03",
    "case": "JZ20261124000123",
    "person": {"id_number": NUMBER, "person_name": "王测"},
}


def read(body: object, values: tuple[str, ...] = ()) -> Any:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return question(data, ("person_name",), values)


def test_a_sound_body_is_read() -> None:
    found = read(BODY)
    assert (found.request_id, found.operator, found.id_number) == ("request-0001", "N0123", NUMBER)
    assert found.given == {"person_name": "王测"}
    verified = read({**BODY, "values": {"fin_status": "2"}}, ("fin_status",))
    assert verified.values == {"fin_status": "2"}
    assert NUMBER not in repr(found)
    assert "王测" not in repr(found)


def person(**changes: object) -> dict[str, object]:
    return {**BODY, "person": {**BODY["person"], **changes}}


WIDE = NUMBER.translate({ord("0") + d: 0xFF10 + d for d in range(10)})


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{",
        b"\xff\xfe",
        b"[" * 4000,
        b'{"a":' * 600,
        b'{"request_id": NaN}',
        json.dumps(BODY).replace("{", '{"operator": "N0999", ', 1).encode(),
        json.dumps(BODY)[:-1].encode() + b', "purpose": "A7-04"}',
        {k: v for k, v in BODY.items() if k != "case"},
        {**BODY, "more": 1},
        {**BODY, "values": {"fin_status": "2"}},
        {**BODY, "operator": 123},
        {**BODY, "operator": "N 123"},
        {**BODY, "operator": "N0123\n"},
        {**BODY, "operator": None},
        {**BODY, "request_id": "short"},
        {**BODY, "request_id": "r" * 65},
        {**BODY, "request_id": f"r-{NUMBER}"},
        {**BODY, "request_id": f"r-{id_number(77)}"},
        {**BODY, "operator": NUMBER},
        {**BODY, "case": f"JZ{NUMBER}"},
        {**BODY, "person": [BODY["person"]]},
        {**BODY, "person": {"id_number": NUMBER}},
        person(id_number=[NUMBER, NUMBER]),
        person(id_number=f"{NUMBER},{NUMBER}"),
        person(id_number="*"),
        person(id_number="410199%"),
        person(id_number=WIDE),
        person(id_number=f" {NUMBER}"),
        person(id_number=f"{NUMBER[:6]} {NUMBER[6:]}"),
        person(id_number=NUMBER[:6] + NUMBER[8:17]),
        person(id_number=NUMBER[:17] + "0" if NUMBER[17] != "0" else NUMBER[:17] + "1"),
        person(id_number=int(NUMBER[:17])),
        person(person_name="王" * 200),
        person(person_name=""),
        person(person_name="王\ud800"),
        person(person_name="王\x00"),
        person(other="1"),
    ],
)
def test_any_other_body_is_refused_without_a_word_of_it(body: object) -> None:
    with pytest.raises(Malformed) as caught:
        read(body)
    assert str(caught.value) == ""


@given(st.binary(max_size=300))
def test_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        assert isinstance(members(data), dict)
    except Malformed as error:
        assert str(error) == ""


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
        max_leaves=9,
    ),
    st.sampled_from([*BODY, "more"]),
)
def test_a_member_is_of_its_form_or_refused(value: object, name: str) -> None:
    try:
        found = read({**BODY, name: value})
    except Malformed:
        return
    assert found.id_number == NUMBER
