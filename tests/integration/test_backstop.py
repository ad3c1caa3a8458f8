"""The backstop's look at the live lane, and what the alarms say of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from onecard.app.hub_desk import HubDesk
from onecard.base.connections import Connection, EnvironmentConnections
from onecard.base.settings import ALARMS, Settings
from onecard.operations import alarms, attention, backstop
from onecard.operations.attention import LANE
from onecard.store import database, leases
from onecard.store.leases import PROCESS, Processes
from tests import webhook
from tests.webhook import HOOK, Hook, to_hook


@dataclass
class Site:
    """A hub with alarms to a webhook."""

    desk: HubDesk
    hook: Hook

    def heard(self, process: str, seconds: int) -> None:
        """Let a process of the lane have been heard of so many seconds ago."""
        with database.connect(self.desk.address, autocommit=True) as connection:
            leases.take(connection, PROCESS + process, process, 10.0)
            connection.execute(
                "UPDATE ledger.lease SET renewed_at = clock_timestamp() - make_interval(secs => %s)"
                " WHERE holder = %s",
                (seconds, process),
            )

    def issues(self) -> list[str]:
        """Subjects of what the lane's silence makes a person do."""
        with database.connect(self.desk.address, autocommit=True) as connection:
            return [i.subject for i in attention.issues(connection, self.desk, ("lane",))]

    def told(self) -> list[tuple[list[str], list[str]]]:
        """Kinds that were told as new and as over, by message."""
        return [
            ([i["kind"] for i in body["new"]], [i["kind"] for i in body["ended"]])
            for body in self.hook.bodies
        ]


@pytest.fixture
def site(hub_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    file = tmp_path / "alarms.yaml"
    file.write_text(f"channels:\n  - {HOOK}\n")
    monkeypatch.setenv(ALARMS, str(file))
    settings = Settings(home=tmp_path, keys_file=tmp_path / "keys", database_url=hub_database)
    with webhook.listening() as hook:
        yield Site(HubDesk(settings, EnvironmentConnections(to_hook(hook))), hook)


def test_a_site_that_never_had_a_lane_has_the_dag_and_no_alarm(site: Site) -> None:
    with database.connect(site.desk.address, autocommit=True) as connection:
        leases.take(connection, "collect hrss/card_status_event", "one", 10.0)
        assert leases.processes(connection, 60.0) == Processes(0, 0, None)
    found = backstop.watch(site.desk)
    assert (found.alive, "ever here" in found.says) == (False, True)
    assert (site.issues(), site.told()) == ([], [])


def test_one_process_that_is_heard_of_is_enough(site: Site) -> None:
    site.heard("dead", 4000)
    site.heard("alive", 58)
    found = backstop.watch(site.desk)
    assert found.alive
    assert found.says.startswith("the live lane is at work: 1 process(es) heard of within 60 s")
    assert (site.issues(), site.told()) == ([], [])


def test_a_silent_lane_is_told_once_and_once_more_when_it_is_back(site: Site) -> None:
    site.heard("one", 61)
    for _ in range(3):
        found = backstop.watch(site.desk)
        assert not found.alive
        assert "nothing was heard of the live lane for 6" in found.says
    assert site.issues() == [LANE]
    assert site.told() == [(["lane"], [])]
    site.heard("two", 0)
    for _ in range(3):
        assert backstop.watch(site.desk).alive
    assert site.issues() == []
    assert site.told() == [(["lane"], []), ([], ["lane"])]


def test_a_channel_that_cannot_be_told_stops_no_work_and_is_told_the_next_time(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    site.heard("one", 61)
    site.hook.status = 500
    assert not backstop.watch(site.desk).alive
    assert "alarm of the live lane, tried again in a minute" in caplog.text
    site.hook.status = 200
    assert not backstop.watch(site.desk).alive
    assert site.told() == [(["lane"], [])]


class Absent:
    """Knows no connection, and says so as Airflow does: by an error that is none of ours."""

    def get(self, connection_id: str) -> Connection:
        raise LookupError(connection_id)


@pytest.mark.parametrize("what", ["connection", "memory"])
def test_whatever_keeps_the_alarm_back_the_work_is_done(
    site: Site, caplog: pytest.LogCaptureFixture, what: str
) -> None:
    site.heard("one", 61)
    desk = site.desk
    if what == "connection":
        desk = HubDesk(desk.settings, Absent())
    else:
        (desk.settings.home / alarms.STATE).mkdir()
    assert not backstop.watch(desk).alive
    assert "alarm of the live lane, tried again in a minute" in caplog.text


def test_other_troubles_wait_for_the_night(site: Site) -> None:
    site.heard("one", 61)
    with database.connect(site.desk.address, autocommit=True) as connection:
        every = {i.kind for i in attention.issues(connection, site.desk)}
    assert {"late", "lane"} <= every
    backstop.watch(site.desk)
    site.heard("one", 0)
    backstop.watch(site.desk)
    assert site.told() == [(["lane"], []), ([], ["lane"])]
