"""docs/bringing.md and the OpenAPI document say what there is, and the examples work."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from onecard.base.platform_signature import Credential, SignatureForm, signature
from onecard.ingest import openapi
from onecard.ingest.announced import Announced, signed
from onecard.ingest.codes import CODES, UNPROVED
from onecard.model.uploads import Declared
from tests.brought import HRSS, Town, csv_of, some, town_of
from tests.small_hub import DATASET

PAGE = (Path(__file__).parents[2] / "docs" / "bringing.md").read_text(encoding="utf-8")


def example(language: str) -> str:
    section = PAGE.partition("## Examples")[2].partition("\n## ")[0]
    (found,) = re.findall(rf"^```{language}\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    return str(found)


def test_every_code_is_in_the_table_with_what_to_do() -> None:
    table = PAGE.partition("## The codes")[2].partition("\n## ")[0]
    found = re.findall(r"^\| `(\d\d)` \| (\d{3}) \| (.*) \| (.*) \|$", table, re.M)
    assert found == [
        (c.code, str(c.status), f"{c.zh} · {c.en}", f"{c.do_zh} · {c.do_en}") for c in CODES
    ]
    assert len({c.code for c in CODES}) == len(CODES)
    assert set(UNPROVED.values()) <= set(CODES)


def test_the_document_has_every_status_and_header() -> None:
    (post,) = (o["post"] for o in openapi.document()["paths"].values() if "post" in o)
    assert set(post["responses"]) == {str(code.status) for code in CODES}
    assert all(f"`{header['name']}`" in PAGE for header in post["parameters"])


@pytest.mark.parametrize(("title", "algorithm"), [("SHA-256", "sha256"), ("SM3", "sm3")])
def test_the_signatures_to_compare_with_are_right(title: str, algorithm: str) -> None:
    form = SignatureForm.model_validate({"algorithm": algorithm})
    digest = hashlib.sha256(b"abc").hexdigest()
    whole = Declared("civil/allowance", "6f1c0d5e-0000-4000-8000-000000000001", 3, digest)
    more = signed("/ingest/civil/allowance", Announced(whole, 0))
    made = signature(Credential("zz", b"0123456789abcdef", form), "1", "1764403200000", more)
    assert f"| {title} | `{made}` |" in PAGE


@pytest.fixture
def called(tmp_path: Path, hub_database: str) -> Iterator[tuple[Town, dict[str, str]]]:
    """A town, and the environment of who brings there."""
    with town_of(tmp_path / "hub", hub_database) as town, town.serving():
        yield (
            town,
            {
                "PATH": os.environ["PATH"],
                "HUB": town.url,
                "SID": HRSS.sid,
                "APPKEY": HRSS.key.decode(),
                "DATASET": DATASET,
                "FILE": str(town.file(csv_of(some(50)))),
            },
        )


def run(command: list[str], environment: dict[str, str]) -> Any:
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("language", ["sh", "python"])
def test_the_examples_bring(called: tuple[Town, dict[str, str]], language: str) -> None:
    town, environment = called
    command = ["sh", "-c"] if language == "sh" else [sys.executable, "-W", "ignore", "-c"]
    told = run([*command, example(language)], environment)
    assert (told["code"], told["outcome"]["accepted"]) == ("00", 50)
    assert town.small.collect().counts.published == 50


def test_the_python_example_sends_parts(called: tuple[Town, dict[str, str]]) -> None:
    town, environment = called
    assert "8 * 1024 * 1024" in example("python")
    text = example("python").replace("8 * 1024 * 1024", "500")
    told = run([sys.executable, "-W", "ignore", "-c", text], environment)
    assert (told["code"], told["outcome"]["accepted"]) == ("00", 50)
    assert [state for state, *_ in town.ledger()] == ["waiting"]
