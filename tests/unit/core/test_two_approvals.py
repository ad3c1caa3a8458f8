"""A text that asks for two people: rows leave after the second approval, and not before."""

from __future__ import annotations

from contextlib import suppress

import pytest

from onecard.errors import PolicyError
from onecard.model.approvals import SamePerson
from onecard.store import agreement_lives, database
from onecard.store.agreement_events import Act
from onecard.store.agreement_lives import Text
from onecard.store.database import Connection
from tests.unit.core.fake_hub import AGREEMENT, KNOWN, NOW, FakeHub, ecards

TEXT = KNOWN.agreement(AGREEMENT).model_copy(update={"approvers": 2, "version": "9.0.0"})


def test_rows_leave_after_the_second_approval_and_not_before(hub: FakeHub) -> None:
    hub.with_people()
    hub.offers(ecards(1, 2))
    hub.collect().run()
    with database.connect(hub.address, autocommit=True) as connection:
        with pytest.raises(PolicyError, match="has changed since its approval"):
            hub.deliver(TEXT).run()
        agreement_lives.approve(connection, TEXT, "李四", "批〔3〕号")
        with pytest.raises(PolicyError, match="needs the approval of a second one: nothing leaves"):
            hub.deliver(TEXT).run()
        agreement_lives.withdraw(connection, TEXT, Act("王五", "再看一遍"))
        agreement_lives.approve(connection, TEXT, "李四", "批〔3〕号")
        with pytest.raises(PolicyError, match="a second one: nothing leaves"):
            hub.deliver(TEXT).run()
        assert hub.system.arrived == {}
        agreement_lives.approve(connection, TEXT, "王五", "批〔3〕号")
    assert hub.deliver(TEXT).run().rows == 2
    (arrived,) = hub.system.arrived.values()
    assert len(arrived.rows) == 2


def stands(connection: Connection, *, contents: bool) -> tuple[object, ...]:
    asked = agreement_lives.ask(connection, [Text.of(TEXT)], contents=contents)
    life = asked.on(NOW.date())[TEXT.id]
    approval, first = (event and event.id for event in (life.approval, life.first))
    return life.state, approval, first, life.changed, life.approvers, life.stopped


def test_where_an_agreement_stands_is_the_same_without_the_approved_texts(hub: FakeHub) -> None:
    with database.connect(hub.address, autocommit=True) as connection:
        seen = []
        for actor in ("李四", "李四", "王五"):
            seen.append(stands(connection, contents=False))
            assert seen[-1] == stands(connection, contents=True)
            with suppress(SamePerson):
                agreement_lives.approve(connection, TEXT, actor, "批〔3〕号")
        older = TEXT.model_copy(update={"approvers": 1, "version": "9.1.0"})
        agreement_lives.suspend(connection, older, "王五", "核查")
        seen.append(stands(connection, contents=False))
        assert seen[-1] == stands(connection, contents=True)
    assert [life[0] for life in seen] == ["draft", "draft", "draft", "suspended"]
    assert [bool(life[2]) for life in seen] == [False, True, True, False]


def test_an_approval_written_past_the_rule_lets_nothing_out(hub: FakeHub) -> None:
    """As an older program would write it, or somebody with the database."""
    with database.connect(hub.address, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO ledger.agreement_event"
            " (agreement, version, fingerprint, event, actor, document, content)"
            " VALUES (%s, '9.0.0', %s, 'approved', '李四', '批〔3〕号', %s)",
            (TEXT.id, TEXT.fingerprint, TEXT.canonical_text),
        )
    with pytest.raises(PolicyError, match="nothing leaves"):
        hub.deliver(TEXT).run()
