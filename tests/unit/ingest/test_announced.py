"""What a part says of itself: each header of one form, all of them signed."""

from __future__ import annotations

import uuid

import pytest

from onecard.ingest import announced
from onecard.ingest.announced import Announced, read, signed
from onecard.model.uploads import Declared

DATASET, ID = "civil/allowance", "6f1c0d5e-0000-4000-8000-000000000001"
GOOD = {
    announced.ID: ID,
    announced.OFFSET: "7",
    announced.LENGTH: "10",
    announced.DIGEST: "ab" * 32,
}


def test_the_four_headers_are_read_in_any_case() -> None:
    found = read(DATASET, [(name.upper(), value) for name, value in GOOD.items()])
    assert found == Announced(Declared(DATASET, ID, 10, "ab" * 32), 7)


@pytest.mark.parametrize("name", GOOD)
def test_each_must_stand_there_once(name: str) -> None:
    headers = list(GOOD.items())
    assert read(DATASET, [h for h in headers if h[0] != name]) is None
    assert read(DATASET, [*headers, (name.lower(), GOOD[name])]) is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (announced.ID, ID.upper()),
        (announced.ID, uuid.UUID(ID).hex),
        (announced.ID, ID + "\n"),
        (announced.OFFSET, "007"),
        (announced.OFFSET, "+7"),
        (announced.OFFSET, "٧"),
        (announced.LENGTH, "0"),
        (announced.LENGTH, "1" * 16),
        (announced.DIGEST, "AB" * 32),
        (announced.DIGEST, "ab" * 31),
    ],
)
def test_another_form_is_none(name: str, value: str) -> None:
    assert read(DATASET, (GOOD | {name: value}).items()) is None


def test_no_two_calls_have_one_text() -> None:
    path = "/ingest/civil/allowance"
    whole = Declared(DATASET, ID, 10, "ab" * 32)
    others = [
        signed(path),
        signed(path + "/" + ID),
        signed("/ingest/civil/other", Announced(whole, 7)),
        signed(path, Announced(whole, 17)),
        signed(path, Announced(Declared(DATASET, ID, 107, "ab" * 32), 7)),
        signed(path, Announced(Declared(DATASET, ID, 10, "ac" * 32), 7)),
        signed(path, Announced(Declared(DATASET, ID[:-1] + "2", 10, "ab" * 32), 7)),
        signed(path, Announced(whole, 7)),
    ]
    assert len(set(others)) == len(others)
    assert others[-1] == f"\n{path}\n{ID}\n7\n10\n{'ab' * 32}".encode()
