"""A dataset of a web service: lint, doctor, drift, collects, and a night in which it fails."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from onecard.errors import OnecardError, SourceUnavailable
from tests import soap_service
from tests.small_hub import DATASET, SmallHub, small_hub
from tests.soap_service import Reply, Service

AT = "2026-11-09T10:00:0{}+08:00"
PERSON = "410199194901010014"
SOURCE: dict[str, Any] = {
    "connector": "soap",
    "connection": "small_service",
    "cursor": "updated",
    "options": {
        **soap_service.OPTIONS,
        "paginator": {**soap_service.NUMBERED, "order": "stable", "size": 2},
        "since_param": "query.since",
        "security": {"kind": "username_token", "password": "digest"},
        "success": {"field": "/queryRowsResponse/code", "value": "0"},
    },
}


@pytest.fixture
def small(tmp_path: Path, hub_database: str, private_database: str) -> Iterator[SmallHub]:
    with small_hub(tmp_path, hub_database, private_database) as found:
        soap_service.copied(found.home / "schemas")
        found.write(SOURCE)
        yield found


@pytest.fixture
def service(small: SmallHub) -> Iterator[Service]:
    with soap_service.service(small.home / "schemas") as found:
        found.login = "digest"
        there = {
            "conn_type": "http",
            "host": "127.0.0.1",
            "port": found.server_address[1],
            "login": soap_service.LOGIN,
            "password": soap_service.SECRET,
        }
        small.environment["AIRFLOW_CONN_SMALL_SERVICE"] = json.dumps(there)
        yield found


def rows(*codes: str, amount: str = "1.50") -> list[dict[str, str | None]]:
    return [
        {"code": code, "amount": amount, "updated": AT.format(place)}
        for place, code in enumerate(codes)
    ]


def linted(small: SmallHub) -> list[str]:
    """What lint says of the contract; registers of other datasets stand beside it."""
    _, said = small.onecard("lint", str(small.home / "schemas"))
    return [line for line in said.splitlines() if "small.odcs.yaml" in line]


def test_lint_doctor_and_drift_know_it(small: SmallHub, service: Service) -> None:
    service.rows = rows("a", "b", "c")
    assert linted(small) == []
    code, said = small.onecard("drift", DATASET, "--json")
    assert code == 0, said
    code, said = small.onecard("doctor", "--json")
    assert "reached, login is good" in said
    service.rows = [{**row, "extra": PERSON} for row in service.rows]
    code, said = small.onecard("drift", DATASET)
    assert ("extra" in said, PERSON in said) == (True, False)


def test_lint_names_what_does_not_fit_and_forgets_when_the_wsdl_changes(
    small: SmallHub, service: Service
) -> None:
    assert linted(small) == []
    file = small.home / "schemas" / "services" / "readers.wsdl"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("queryRows", "findRows"), encoding="utf-8")
    (said,) = linted(small)
    assert ("soap.operation" in said, "known: countRows" in said) == (True, True)
    file.write_text(text, encoding="utf-8")
    options = {**SOURCE["options"], "record": "/queryRowsResponse/rwos/row"}
    small.write({**SOURCE, "options": options})
    (said,) = linted(small)
    assert ("soap.path" in said, "did you mean rows" in said) == (True, True)


def test_rows_are_published_and_read_on_from_the_watermark(
    small: SmallHub, service: Service
) -> None:
    service.moment, service.rows = "updated", rows("a", "b", "c", "d", "e")
    assert small.collect().counts.rows_read == 5
    assert small.amounts() == dict.fromkeys("abcde", "1.50")
    assert "since" not in service.calls[0].params
    service.rows += [{"code": "f", "amount": "x", "updated": AT.format(9)}]
    service.rows[0]["amount"] = "9.99"  # behind the bound: nobody asks for it
    outcome = small.collect()
    assert service.calls[-1].params["since"] == "2026-11-09T09:50:04+08:00"
    assert (outcome.counts.quarantined, outcome.counts.published) == (1, 1)
    assert small.amounts()["a"] == "9.99", "the overlap of ten minutes"


@pytest.mark.fault("F09", "a fault in mid-reading, with HTTP 200: nothing is published")
@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (Reply(soap_service.fault("Server", PERSON)), SourceUnavailable),
        (Reply(soap_service.fault("Client", PERSON)), OnecardError),
        (Reply(soap_service.envelope("<a>" * 70)), OnecardError),
        (Reply(soap_service.envelope("")[:-9]), OnecardError),
        (Reply(b"<html/>", kind="text/html"), OnecardError),
    ],
)
def test_what_fails_in_mid_reading_publishes_nothing(
    small: SmallHub, service: Service, reply: Reply, kind: type[OnecardError]
) -> None:
    service.rows = rows("a", "b")
    service.moment = "updated"
    small.collect()
    service.rows = rows("a", "b", "c", "d", "e", amount="2.50")
    sound = service.answer

    def breaks(call: soap_service.Call) -> bytes:
        service.instead = reply if call.params["page"] == "1" else None
        return sound(call)

    service.answer = breaks  # type: ignore[method-assign]
    with pytest.raises(kind) as caught:
        small.collect()
    assert PERSON not in str(caught.value)
    assert small.amounts() == {"a": "1.50", "b": "1.50"}
    service.instead = None
    service.answer = sound  # type: ignore[method-assign]
    small.collect()
    assert small.amounts() == dict.fromkeys("abcde", "2.50")


def test_the_whole_of_a_service_without_pages_is_one_reading(
    small: SmallHub, service: Service
) -> None:
    options = {k: v for k, v in SOURCE["options"].items() if k not in ("paginator", "since_param")}
    small.write({**SOURCE, "options": options})
    service.rows = rows(*"abcdefg")
    assert small.collect().counts.rows_read == 7
    assert len(service.calls) == 1
