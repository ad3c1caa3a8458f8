"""docs/asking.md and the OpenAPI document say what there is, and the examples work."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from onecard.base.platform_signature import (
    Credential,
    SignatureForm,
    SignedCall,
    Verifier,
    bound,
    signature,
)
from onecard.serve import openapi
from onecard.serve.codes import CODES
from schemas.models import catalogue

PAGE = (Path(__file__).parents[3] / "docs" / "asking.md").read_text(encoding="utf-8")
ASKED = [a for _, a in sorted(catalogue.load().agreements.items()) if a.asked]
KEY = "0123456789abcdef0123456789abcdef"


def example(language: str, part: str) -> str:
    section = PAGE.partition(f"## {part}")[2].partition("\n## ")[0]
    return re.findall(rf"^```{language}\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)[0]


def test_every_code_is_in_the_table_with_what_to_do() -> None:
    table = PAGE.partition("## The codes")[2].partition("\n## ")[0]
    found = re.findall(r"^\| `(\d\d)` \| (\d{3}) \| (.*) \| (.*) \|$", table, re.M)
    assert found == [
        (c.code, str(c.status), f"{c.zh} · {c.en}", f"{c.do_zh} · {c.do_en}") for c in CODES
    ]
    assert len({c.code for c in CODES}) == len(CODES)


@pytest.mark.parametrize(("title", "algorithm"), [("SHA-256", "sha256"), ("SM3", "sm3")])
def test_the_signatures_to_compare_with_are_right(title: str, algorithm: str) -> None:
    form = SignatureForm.model_validate({"algorithm": algorithm})
    more = bound(form, "/v1/f09-hrss-health-card-query/query", b"{}")
    made = signature(Credential("zz", b"0123456789abcdef", form), "1", "1764403200000", more)
    assert f"| {title} | `{made}` |" in PAGE


@pytest.fixture
def called(tmp_path: Path) -> Iterator[tuple[list[Any], dict[str, str]]]:
    """What a server hears, and the environment of who calls it."""
    heard: list[Any] = []

    class Ear(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            heard.append((self.path, list(self.headers.items()), body))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b'{"code": "00"}')

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Ear)
    Thread(target=server.serve_forever, daemon=True).start()
    (tmp_path / "request.json").write_text(example("json", "The call"), encoding="utf-8")
    yield (
        heard,
        {
            "PATH": os.environ["PATH"],
            "HUB": f"http://127.0.0.1:{server.server_address[1]}",
            "SID": "health-his",
            "APPKEY": KEY,
            "AGREEMENT": ASKED[0].id,
            "MODE": "query",
        },
    )
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("language", ["sh", "python"])
def test_the_examples_sign_as_the_service_verifies(
    called: tuple[list[Any], dict[str, str]], tmp_path: Path, language: str
) -> None:
    heard, environment = called
    text = example(language, "Examples")
    command = ["sh", "-c", text] if language == "sh" else [sys.executable, "-c", text]
    done = subprocess.run(
        command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"code": "00"}
    ((path, headers, body),) = heard
    signed = SignedCall.of("gjgxjhpt_", headers)
    assert signed is not None
    credential = Credential("health-his", KEY.encode())
    more = bound(credential.form, path, body)
    assert Verifier().judge(signed, credential, more) == "accepted"
    assert Verifier().judge(signed, credential, more + b"x") == "forged"


def test_the_java_example_signs_the_same_text() -> None:
    text = example("java", "Examples")
    assert r'sid + rid + rtime + "\n" + path + "\n" + digest' in text


def test_the_document_is_of_its_kind_and_its_schemas_hold() -> None:
    document = openapi.document(ASKED)
    assert document["openapi"] == "3.1.0"
    assert set(document["paths"]) == {f"/v1/{a.id}/{a.mode}" for a in ASKED} | {"/v1/disclosures"}
    asked = document["paths"][f"/v1/{ASKED[0].id}/query"]["post"]
    schema = asked["requestBody"]["content"]["application/json"]["schema"]
    Draft202012Validator.check_schema(schema)
    body = json.loads(example("json", "The call"))
    assert Draft202012Validator(schema).is_valid(body)
    for change in ({"more": 1}, {"purpose": "A7-04"}, {"case": "x"}, {"operator": "a b"}):
        assert not Draft202012Validator(schema).is_valid(body | change), change


def test_the_document_has_every_code_in_both_languages() -> None:
    text = json.dumps(openapi.document(ASKED), ensure_ascii=False)
    for code in CODES:
        if code.status != 200:
            assert f"{code.code} {code.zh} · {code.en}" in text
