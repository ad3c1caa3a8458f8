"""Bodies of the query and verify service, made from its own OpenAPI document."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from onecard.serve import codes, openapi
from onecard.serve.calls import MOST_BODY_BYTES, Malformed, Question, question
from schemas.models import catalogue
from schemas.models.agreement import Agreement
from tests.asked import MODES, SIDS, AskedHub, asked_hub, person
from tests.cities import empty_hub
from tests.fuzz.mutation import fuzzed, inputs, silent
from tests.fuzz.openapi_bodies import almost, described

ASKED = [a for _, a in sorted(catalogue.load().agreements.items()) if a.asked]
DOCUMENT = openapi.document(ASKED)
LI = person(1, "张秘密")


def operation(agreement: Agreement) -> Any:
    return DOCUMENT["paths"][f"/v1/{agreement.id}/{agreement.mode}"]["post"]


def schema_of(agreement: Agreement) -> Any:
    return operation(agreement)["requestBody"]["content"]["application/json"]["schema"]


def read(agreement: Agreement, body: bytes) -> Question | None:
    """The question of a body under an agreement; None: the body is refused, and nothing is said of it."""
    asking = agreement.asking
    assert asking is not None
    by = tuple(path.rpartition(".")[2] for path in asking.by)
    values = agreement.names if agreement.mode == "verify" else ()
    try:
        return question(body, by, values)
    except Malformed as error:
        silent(error)
        assert str(error) == ""
        return None


def apart(body: Any) -> bool:
    """Whether what is recorded of a call tells nothing of whom it speaks; no schema can say that."""
    kept = [str(body.get(name)) for name in ("request_id", "operator", "case")]
    told = [*body.get("person", {}).values(), *body.get("values", {}).values()]
    long = [text for text in told if len(text) > 3]
    return not any(text in k for text in long for k in kept) and not any(
        sum(c.isdigit() for c in k) >= 17 for k in kept
    )


@fuzzed
@given(data=st.data(), agreement=st.sampled_from(ASKED))
def test_what_the_document_describes_is_read(data: Any, agreement: Agreement) -> None:
    body = data.draw(described(schema_of(agreement)))
    assume(apart(body))
    found = read(agreement, json.dumps(body, ensure_ascii=False).encode())
    assert found is not None
    assert (found.request_id, found.id_number) == (body["request_id"], body["person"]["id_number"])
    assert found.values == body.get("values", {})


@fuzzed
@given(data=st.data(), agreement=st.sampled_from(ASKED))
def test_what_is_read_is_as_the_document_describes(data: Any, agreement: Agreement) -> None:
    body = data.draw(almost(schema_of(agreement)))
    if read(agreement, json.dumps(body).encode()) is None:
        return
    wanted = dict(schema_of(agreement)["properties"])
    # Purpose and case are looked at later, and have codes of their own.
    loose = {"purpose": {"type": "string"}, "case": {"type": "string"}}
    schema = {**schema_of(agreement), "properties": wanted | loose}
    assert Draft202012Validator(schema).is_valid(body)


@fuzzed
@given(data=st.data())
def test_spoilt_bodies_are_read_or_refused(data: Any) -> None:
    agreement = ASKED[0]
    sound = {
        "request_id": "request-0001",
        "operator": "N0123",
        "purpose": agreement.purpose,
        "case": "JZ20261124000123",
        "person": {"id_number": LI.id_number, "person_name": LI.name},
    }
    body = data.draw(inputs(json.dumps(sound, ensure_ascii=False).encode(), b'{}[]",:\\u0\x00\xff'))
    read(agreement, body)


@contextmanager
def served(home: Path, server: str, folder: Path) -> Iterator[AskedHub]:
    with empty_hub(server, folder) as database, asked_hub(home / "hub", database) as found:
        found.card(LI)
        with found.serving():
            yield found


@pytest.fixture(scope="module")
def asked(
    tmp_path_factory: pytest.TempPathFactory, quick_postgres: str, shared_folder: Path
) -> Iterator[AskedHub]:
    with served(tmp_path_factory.mktemp("fuzz-asked"), quick_postgres, shared_folder) as found:
        yield found


@pytest.mark.nightly
@fuzzed
@given(data=st.data(), agreement=st.sampled_from(ASKED))
def test_every_answer_is_one_that_the_document_describes(
    asked: AskedHub, data: Any, agreement: Agreement
) -> None:
    """Over real HTTP, signed: status and content as described, whatever the body holds."""
    body = json.dumps(data.draw(almost(schema_of(agreement))), ensure_ascii=True).encode()
    assume(len(body) <= MOST_BODY_BYTES)
    asked.execute("DELETE FROM ledger.question_count")  # a quota is none of the reasons
    answer = asked.post(agreement.id, body)
    described_as = operation(agreement)["responses"][str(answer.status_code)]
    schema = described_as["content"]["application/json"]["schema"]
    whole = {**schema, "components": DOCUMENT["components"]}
    assert Draft202012Validator(whole).is_valid(answer.json()), answer.json().get("code")
    assert answer.json()["code"] in {c.code for c in codes.CODES} - {codes.UNAVAILABLE.code}
    assert answer.status_code != 200 or read(agreement, body) is not None


@pytest.mark.nightly
@pytest.mark.parametrize("agreement", ASKED, ids=lambda a: a.id[:3])
@pytest.mark.parametrize("mode", ["POSITIVE", "NEGATIVE"])
def test_schemathesis_finds_nothing_that_the_document_does_not_say(
    asked: AskedHub, agreement: Agreement, mode: str
) -> None:
    """Bodies that another reader of the document makes, signed; it judges the answers too."""
    from schemathesis import GenerationMode, openapi
    from schemathesis.checks import not_a_server_error
    from schemathesis.specs.openapi import checks

    judged = [
        not_a_server_error,
        checks.status_code_conformance,
        checks.content_type_conformance,
        checks.response_schema_conformance,
    ]
    operation = openapi.from_dict(DOCUMENT)[f"/v1/{agreement.id}/{agreement.mode}"]["POST"]
    seen: set[str] = set()

    @fuzzed
    @given(case=operation.as_strategy(generation_mode=GenerationMode[mode]))
    def hold(case: Any) -> None:
        plain = isinstance(case.body, dict | list | str | int | float | bool | None)
        body = json.dumps(case.body).encode() if plain else b"{"
        assume(len(body) <= MOST_BODY_BYTES)
        asked.execute("DELETE FROM ledger.question_count")  # a quota is none of the reasons
        answer = asked.post(agreement.id, body)
        seen.add(answer.json()["code"])
        case.validate_response(answer, checks=judged)
        schema = Draft202012Validator(schema_of(agreement))
        assert answer.status_code != 200 or (plain and schema.is_valid(case.body))

    hold()
    assert codes.MALFORMED.code in seen, "check characters, which no schema describes"


def test_the_callers_of_the_document_are_those_that_ask() -> None:
    assert {a.id for a in ASKED} == set(SIDS) == set(MODES)
