"""Who may wake the lane: an agency with a key, its own event datasets; nobody else."""

from __future__ import annotations

import json
import logging
from dataclasses import replace

import pytest

from onecard.base.connections import EnvironmentConnections
from onecard.base.platform_signature import Credential, SignatureForm
from onecard.daemon.callers import Caller, Callers
from onecard.live.callers import callers_of
from schemas.models import catalogue
from schemas.models.catalogue import Catalogue, Wake

KEY = "0123456789abcdef"


def connections(**keys: tuple[str, str]) -> EnvironmentConnections:
    return EnvironmentConnections(
        {
            f"AIRFLOW_CONN_{name.upper()}": json.dumps(
                {"conn_type": "http", "login": login, "password": password}
            )
            for name, (login, password) in keys.items()
        }
    )


def waking(**blocks: Wake) -> Catalogue:
    """Our catalogue, where these agencies and no others may wake."""
    known = catalogue.load()
    return replace(
        known,
        agencies={
            name: agency.model_copy(update={"wake": blocks.get(name)})
            for name, agency in known.agencies.items()
        },
    )


def test_our_own_agencies_wake_their_event_datasets_only() -> None:
    found = callers_of(catalogue.load(), connections(hrss_wake=("sid", KEY)))
    caller = found.find("gjgxjhpt_", "sid")
    assert caller == Caller(
        "hrss", Credential("sid", KEY.encode(), caller.credential.form), caller.datasets
    )
    known = catalogue.load()
    assert caller.datasets == {
        name for name, c in known.contracts.items() if c.lane == "event" and c.agency == "hrss"
    }
    assert "hrss/card_status_event" in caller.datasets
    assert "hrss/card_master" not in caller.datasets
    assert found.unreadable == ()


def test_nobody_is_a_caller_who_is_not_named() -> None:
    found = callers_of(waking(), connections(hrss_wake=("sid", KEY)))
    assert (found.prefixes, found.find("gjgxjhpt_", "sid")) == ((), None)


@pytest.mark.parametrize(
    "keys",
    [
        {},
        {"hrss_wake": ("", KEY)},
        {"hrss_wake": ("sid", "")},
        {"hrss_wake": ("sid", KEY[:-1])},
    ],
)
def test_a_key_that_cannot_be_used_makes_no_caller(
    keys: dict[str, tuple[str, str]], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        found = callers_of(waking(hrss=Wake(connection="hrss_wake")), connections(**keys))
    assert (found.prefixes, found.unreadable) == ((), ("hrss",))
    assert "hrss cannot wake the lane" in caplog.text
    assert KEY[:-1] not in caplog.text


def test_two_agencies_with_one_sid_are_both_no_callers(caplog: pytest.LogCaptureFixture) -> None:
    both = waking(hrss=Wake(connection="one"), health=Wake(connection="two"))
    found = callers_of(both, connections(one=("sid", KEY), two=("sid", KEY * 2)))
    assert (found.prefixes, found.unreadable) == ((), ("health", "hrss"))
    assert caplog.text.count("another agency has the same sid") == 2


def test_the_same_sid_after_another_prefix_is_another_caller() -> None:
    other = Wake(connection="two", header_prefix="ZZ-", algorithm="sm3")
    both = waking(hrss=Wake(connection="one"), health=other)
    found = callers_of(both, connections(one=("sid", KEY), two=("sid", KEY * 2)))
    assert found.prefixes == ("gjgxjhpt_", "zz-")
    agencies = [found.find(prefix, "sid").agency for prefix in found.prefixes]
    assert agencies == ["hrss", "health"]


def test_prefixes_differ_by_more_than_case() -> None:
    form = SignatureForm(header_prefix="GJGXJHPT_")
    credentials = Credential("sid", b"a"), Credential("sid", b"b", form)
    found = Callers([Caller(n, c, frozenset()) for n, c in zip("ab", credentials, strict=True)])
    assert (found.prefixes, found.unreadable) == ((), ("a", "b"))
