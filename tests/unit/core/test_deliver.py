"""The rules of a delivery, proved without a system: what leaves, what stays, what comes again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from onecard.errors import PolicyError, SourceUnavailable
from onecard.ports.fakes import FakePrivacyGate
from onecard.ports.privacy_gate import PrivacyBlock
from onecard.store import agreement_lives, database
from tests.unit.core.fake_hub import AGREEMENT, KNOWN, FakeHub, ecards

STATUSES = "SELECT status FROM ledger.transfer WHERE direction = 'deliver' ORDER BY id"


@pytest.fixture
def filled(hub: FakeHub) -> FakeHub:
    """Two e-cards are published; nothing was delivered yet."""
    hub.with_people()
    hub.offers(ecards(1, 2))
    hub.collect().run()
    return hub


def test_only_the_agreements_columns_leave_and_only_once(filled: FakeHub) -> None:
    done = filled.deliver().run()
    (arrived,) = filled.system.arrived.values()
    assert [tuple(row) for row in arrived.rows] == [KNOWN.agreement(AGREEMENT).names] * 2
    assert (done.rows, filled.privacy.closed[0][1]) == (2, 2)
    assert arrived.manifest["agreement"] == AGREEMENT
    assert filled.deliver().run().transfer is None
    assert len(filled.system.arrived) == 1


def test_a_change_alone_is_due(filled: FakeHub) -> None:
    filled.deliver().run()
    filled.offers(ecards(2, status="2"))
    filled.collect().run()
    assert filled.deliver().run().rows == 1
    (row,) = list(filled.system.arrived.values())[-1].rows
    assert (row["ecard_sign_no"], row["ecard_status"]) == ("E00002", "2")


def test_a_receiver_that_fails_gets_the_same_delivery_under_the_same_id(filled: FakeHub) -> None:
    filled.system.fails = SourceUnavailable("the bank is down")
    with pytest.raises(SourceUnavailable):
        filled.deliver().run()
    assert filled.system.arrived == {}
    (window,) = filled.ask("SELECT delivery_id FROM ledger.delivery_window")
    filled.system.fails = None
    assert filled.deliver().run().rows == 2
    assert list(filled.system.arrived) == [window[0]]
    assert filled.ask(STATUSES) == [("failed",), ("confirmed",)]
    outcomes = filled.ask("SELECT body::json ->> 'outcome' FROM ledger.receipt ORDER BY transfer")
    assert outcomes[-2:] == [("failed",), ("confirmed",)]


def test_a_rule_that_blocks_lets_nothing_out(filled: FakeHub) -> None:
    filled.privacy = FakePrivacyGate(blocks="PR-03")
    with pytest.raises(PrivacyBlock, match="PR-03"):
        filled.deliver().run()
    assert filled.system.arrived == {}
    assert filled.ask("SELECT count(*) FROM ledger.disclosure") == [(0,)]


def test_a_row_that_the_gate_withholds_stays_and_the_rest_leaves(filled: FakeHub) -> None:
    filled.privacy = FakePrivacyGate(withholds=frozenset({0}))
    done = filled.deliver().run()
    assert (done.rows, done.withheld) == (1, 1)
    (arrived,) = filled.system.arrived.values()
    assert [row["ecard_sign_no"] for row in arrived.rows] == ["E00002"]


def test_who_received_a_person_is_on_record_before_the_rows_leave(filled: FakeHub) -> None:
    filled.deliver().run()
    assert filled.ask("SELECT count(*) FROM ledger.disclosure")[0][0] >= 1


@pytest.mark.parametrize("how", ["stopped", "unapproved", "expired"])
def test_without_an_agreement_in_force_nothing_leaves(filled: FakeHub, how: str) -> None:
    agreement = KNOWN.agreement(AGREEMENT)
    with database.connect(filled.address, autocommit=True) as connection:
        if how == "stopped":
            agreement_lives.set_stop(connection, agreement.consumer, "x", "y", stopped=True)
        elif how == "unapproved":
            agreement_lives.suspend(connection, agreement, "x", "y")
    if how == "expired":
        late = filled.settings.fixed_now.replace(year=2040)
        filled = replace(filled, settings=filled.settings.model_copy(update={"fixed_now": late}))
    with pytest.raises(PolicyError):
        filled.deliver().run()
    assert filled.system.arrived == {}
