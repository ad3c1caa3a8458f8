"""What is published and who calls is heard; a word that was lost is made up for."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from onecard.live.ear import Ear
from onecard.live.pace import Pace
from onecard.store import database, notifications
from onecard.store.notifications import PUBLISHED, Notice
from tests.unit.core.fake_hub import ECARDS, FakeHub, ecards

HERE = "hrss/card_master"
QUICK = Pace(look=0.01)


def test_a_version_is_noticed_without_a_word_and_once(hub_database: str) -> None:
    published: list[str] = []
    ear = Ear(hub_database, QUICK, published.append, published.append)
    with (
        notifications.listening(hub_database) as session,
        database.connect(hub_database, autocommit=True) as other,
    ):
        for version in (1, 2):
            other.execute(
                "INSERT INTO ledger.dataset (dataset, version) VALUES (%s, %s)"
                " ON CONFLICT (dataset) DO UPDATE SET version = excluded.version",
                (HERE, version),
            )
            ear.hear(session, [HERE])
            ear.hear(session, [HERE])
            assert published == [HERE] * version
        ear.hear(session, [])
        assert published == [HERE] * 2


def test_a_call_is_handed_on(hub_database: str) -> None:
    published: list[str] = []
    woken: list[str] = []
    ear = Ear(hub_database, Pace(look=60.0), published.append, woken.append)
    with (
        notifications.listening(hub_database) as session,
        database.connect(hub_database, autocommit=True) as other,
    ):
        notifications.tell_woken(other, HERE)
        ear.hear(session, [HERE])
    assert (published, woken) == ([], [HERE])


def test_a_confirmation_that_somebody_waits_for_wakes_who_delivers(hub_database: str) -> None:
    published: list[str] = []
    woken: list[str] = []
    ear = Ear(hub_database, Pace(look=60.0), published.append, woken.append)
    with (
        notifications.listening(hub_database) as session,
        database.connect(hub_database, autocommit=True) as other,
    ):
        notifications.tell_confirmed(other, HERE)
        ear.hear(session, [HERE])
    assert (published, woken) == ([HERE], [])


def test_a_collect_says_that_it_published_and_not_that_it_found_nothing(
    hub_database: str, tmp_path: Path
) -> None:
    hub = FakeHub.at(hub_database, tmp_path)
    hub.offers(ecards(1))
    with notifications.listening(hub_database) as session:
        hub.collect().run()
        assert session.heard(60) == {Notice(PUBLISHED, ECARDS)}
        hub.collect().run()
        assert session.heard(0.01) == frozenset()
        hub.offers(ecards(1, status="2"))
        hub.collect().run()
        assert session.heard(60) == {Notice(PUBLISHED, ECARDS)}


def test_it_goes_on_hearing_whatever_fails(
    hub_database: str, caplog: pytest.LogCaptureFixture
) -> None:
    stop = threading.Event()
    asked: list[int] = []

    def names() -> list[str]:
        asked.append(1)
        if len(asked) < 3:
            raise ZeroDivisionError
        stop.set()
        return []

    Ear(hub_database, Pace(look=0.0), print, print).run(stop, names)
    assert len(asked) == 3
    assert caplog.text.count("notifications cannot be heard: internal error: ZeroDivision") == 1
