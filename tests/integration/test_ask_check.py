"""`onecard ask --check` on files: exit codes, and no key in what it says."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from onecard.base.platform_signature import Credential, bound, signed_headers
from onecard.crypto import keys
from schemas.models import catalogue
from tests import forked
from tests.asked import CASES, F09, HIS, id_number

PATH = f"/v1/{F09}/query"
BODY = json.dumps(
    {
        "request_id": "request-0001",
        "operator": "N0123",
        "purpose": "A7-03",
        "case": CASES[F09],
        "person": {"id_number": id_number(1), "person_name": "王测"},
    },
    ensure_ascii=False,
).encode()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    known = catalogue.load()
    keys.create(tmp_path / "keys.json", known.agencies, "2026", callers=known.callers)
    return tmp_path


def app_key(home: Path) -> bytes:
    purpose = keys.caller_purpose(HIS)
    return keys.app_key(keys.KeyStore(home / "keys.json").epochs([purpose])[purpose][0])


def written(home: Path, **changed: str) -> tuple[Path, Path]:
    """Files of a call: the request's head, and its body."""
    credential = Credential(HIS, app_key(home), catalogue.load().callers[HIS])
    headers = {"Content-Length": str(len(BODY))}
    headers |= signed_headers(credential, bound(credential.form, PATH, BODY)) | changed
    lines = [f"POST {PATH} HTTP/1.1", *(f"{n}: {v}" for n, v in headers.items()), "", ""]
    head, body = home / "call.http", home / "request.json"
    head.write_text("\r\n".join(lines), encoding="utf-8", newline="")
    body.write_bytes(BODY)
    return head, body


def check(home: Path, *words: object) -> tuple[int, str]:
    """Exit code, and all that the command says."""
    environment = {"ONECARD_HOME": str(home), "ONECARD_PROFILE": "demo", "COLUMNS": "300"}
    done = forked.onecard(environment, "ask", *map(str, words))
    said = done.stdout + done.stderr
    assert app_key(home).decode() not in said
    assert id_number(1) not in said
    return done.returncode, said


def test_a_sound_call_and_one_with_faults(home: Path) -> None:
    head, body = written(home)
    code, said = check(home, "--check", head, "--body", body)
    assert (code, "nothing is wrong" in said) == (0, True), said
    whole = home / "whole.http"
    whole.write_bytes(head.read_bytes() + BODY)
    assert check(home, "--check", whole)[0] == 0
    late = datetime(2030, 1, 1, tzinfo=UTC).isoformat()
    code, said = check(home, "--check", whole, "--came", late, "--json")
    assert code == 1, said
    assert [(f["rule"], f["code"]) for f in json.loads(said)] == [("time.window", "41")]
    body.write_bytes(BODY + b"\n")
    code, said = check(home, "--check", head, "--body", body, "--json")
    assert (code, "the body without the blanks around it" in said) == (1, True), said
    assert check(home, "--check", head, "--body", body)[0] == 1


def test_the_key_may_be_in_a_file_of_ones_own(home: Path) -> None:
    head, body = written(home)
    own, other = home / "own.key", home / "other.key"
    own.write_bytes(app_key(home) + b"\n")
    other.write_bytes(b"0" * 64)
    assert check(home, "--check", head, "--body", body, "--key", own)[0] == 0
    code, said = check(home, "--check", head, "--body", body, "--key", other, "--json")
    assert (code, "no usual mistake" in said) == (1, True), said
    text = home / "signed.txt"
    text.write_bytes(b"something else")
    more = ("--key", other, "--signed", text, "--json")
    code, said = check(home, "--check", head, "--body", body, *more)
    assert code == 1, said
    assert {"signed.lines", "signed.line_1", "sign.wrong"} <= {f["rule"] for f in json.loads(said)}


@pytest.mark.parametrize(
    "words",
    [
        ("--check", "nowhere.http"),
        ("--check", "keys.json"),
        ("--check", "call.http", "--body", "nowhere"),
        ("--check", "call.http", "--came", "yesterday"),
        ("--check", "call.http", "--operator", "N0123"),
        ("--body", "request.json"),
        (F09, "--operator", "N0123"),
        (),
    ],
)
def test_what_cannot_be_meant_is_a_mistake_of_use(home: Path, words: tuple[str, ...]) -> None:
    written(home)
    placed = [home / w if w.endswith((".http", ".json")) or w == "nowhere" else w for w in words]
    assert check(home, *placed)[0] == 2
