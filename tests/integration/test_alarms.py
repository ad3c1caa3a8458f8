"""Alarms over a real SMTP server with TLS and a real HTTP server: once, and once more at the end."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from demo.rehearsal import Rehearsal
from onecard.app.wiring import Hub
from onecard.base.connections import EnvironmentConnections
from onecard.errors import AuditFailed, SourceUnavailable
from onecard.model.signoffs import SignOff
from onecard.operations import alarm_file, alarms
from onecard.operations.alarm_channels import SENDERS
from onecard.operations.release import release
from onecard.store import database, holds, transfers
from schemas.models.problem import InvalidFile
from tests import forked, mail_box, webhook
from tests.cities import Cities
from tests.mail_box import PASSWORD, mail, mail_server
from tests.webhook import HOOK, Hook, to_hook

CARDS = "hrss/card_master"


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory, cities: Cities) -> Iterator[Rehearsal]:
    home = tmp_path_factory.mktemp("alarms")
    with cities.start(home / "stage", persons=300, seed=5) as found:
        found.hub(0).collect(CARDS).run()
        yield found


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of 127.0.0.1, with its key."""
    return mail_box.certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def hook() -> Iterator[Hook]:
    with webhook.listening() as server:
        yield server


MAIL = "{kind: email, connection: alarm_mail, from: hub@example.org, to: [duty@example.org]}"


def settings(folder: Path, *channels: str, kinds: str = "[held, failing]") -> alarm_file.AlarmFile:
    file = folder / "alarms.yaml"
    file.write_text(f"kinds: {kinds}\nchannels:\n" + "".join(f"  - {c}\n" for c in channels))
    found = alarm_file.configured({"ONECARD_ALARMS": str(file)})
    assert found
    return found


@pytest.fixture
def hub_of(city: Rehearsal) -> Iterator[Any]:
    """Makes hubs with more connections, whose alarms start from nothing; ends what was provoked."""
    (city.home / alarms.STATE).unlink(missing_ok=True)

    def make(environment: dict[str, str], day: int = 0) -> Hub:
        hub = city.hub(day)
        hub.connections = EnvironmentConnections(city.environment | environment)
        return hub

    yield make
    fail(city, CARDS, "published")


def fail(city: Rehearsal, subject: str, status: str = "failed", message: str = "down") -> None:
    hub = city.hub(0)
    with database.connect(hub.address, autocommit=True) as connection:
        made = transfers.open_transfer(connection, "collect", subject, "1.0.0", hub.settings.now())
        transfers.record_end(connection, made, status, message)


def test_a_failure_is_mailed_once_and_once_more_when_over(
    city: Rehearsal, hub_of: Any, tmp_path: Path, certificate: Path
) -> None:
    wanted = settings(tmp_path, MAIL)
    with mail_server(certificate) as (box, port):
        hub = hub_of(mail(port, certificate))
        assert [(t.new, t.ended, t.problem) for t in alarms.send(hub, wanted, SENDERS)] == [
            (0, 0, "")
        ]
        assert box.mails == []
        fail(city, CARDS)
        alarms.send(hub, wanted, SENDERS)
        fail(city, CARDS)
        alarms.send(hub, wanted, SENDERS)
        assert len(box.mails) == 1
        fail(city, CARDS, "published")
        alarms.send(hub, wanted, SENDERS)
        alarms.send(hub, wanted, SENDERS)
    first, second = box.mails
    assert box.encrypted == [True, True]
    assert first["To"] == "duty@example.org"
    assert first["Subject"] == "[一卡通] 新告警 1，已解除 0 (1 new, 0 over)"
    assert second["Subject"] == "[一卡通] 新告警 0，已解除 1 (0 new, 1 over)"
    text = first.get_content()
    assert f"传输失败 failing: {CARDS}" in text
    assert f"onecard collect {CARDS}" in text


@pytest.mark.fault("F15", "a held collect is told with its command, and is over when released")
def test_a_hold_is_told_and_over_when_released(
    city: Rehearsal, hub_of: Any, tmp_path: Path, hook: Hook
) -> None:
    wanted, hub = settings(tmp_path, HOOK, kinds="[held]"), hub_of(to_hook(hook))
    hub.collect(CARDS).run()
    source = city.city.postgres_url
    with psycopg.connect(source, autocommit=True) as agency:
        agency.execute("ALTER TABLE hrss.ac01_card RENAME TO kept")
        agency.execute("CREATE TABLE hrss.ac01_card (LIKE hrss.kept INCLUDING ALL)")
        try:
            with pytest.raises(AuditFailed):
                hub.collect(CARDS).run()
        finally:
            agency.execute("DROP TABLE hrss.ac01_card")
            agency.execute("ALTER TABLE hrss.kept RENAME TO ac01_card")
    alarms.send(hub, wanted, SENDERS)
    alarms.send(hub, wanted, SENDERS)
    with database.connect(hub.address, autocommit=True) as connection:
        (held,) = holds.holds(connection, hub.catalogue)
    assert release(hub, str(held.number), SignOff("张主任", "来函说明")).collected
    alarms.send(hub, wanted, SENDERS)
    told, over = hook.bodies
    (item,) = told["new"]
    assert (item["subject"], item["who"]) == (CARDS, "hrss, with the engineer on duty")
    assert held.release in item["todo"]
    assert (over["new"], [x["subject"] for x in over["ended"]]) == ([], [CARDS])
    assert "来函说明" not in json.dumps(hook.bodies, ensure_ascii=False)


def test_no_personal_data_leaves_even_if_a_message_had_some(
    city: Rehearsal, hub_of: Any, tmp_path: Path, hook: Hook
) -> None:
    wanted = settings(tmp_path, HOOK)
    fail(city, CARDS, message="row of 11010519491231002X, mobile 13800138000")
    alarms.send(hub_of(to_hook(hook)), wanted, SENDERS)
    (body,) = hook.bodies
    told = json.dumps(body, ensure_ascii=False)
    assert "failing" in told
    assert not re.search("11010519491231002X|13800138000", told)
    kept = (city.home / alarms.STATE).read_text("utf-8")
    assert not re.search("11010519491231002X|13800138000", kept)


def test_a_webhook_is_told_with_its_token(
    city: Rehearsal, hub_of: Any, tmp_path: Path, hook: Hook
) -> None:
    wanted = settings(tmp_path, HOOK)
    fail(city, CARDS)
    alarms.send(hub_of(to_hook(hook)), wanted, SENDERS)
    (body,) = hook.bodies
    assert hook.headers == ["Bearer token-1"]
    assert [(x["kind"], x["subject"]) for x in body["new"]] == [("failing", CARDS)]
    assert body["ended"] == []
    assert (body["new"][0]["cause"], body["causes"]) == (CARDS, {CARDS: [CARDS]})
    assert "f01-hrss-transport-card-status" in body["new"][0]["receivers"]


def test_a_channel_that_fails_is_told_next_time_and_stops_no_other(
    city: Rehearsal, hub_of: Any, tmp_path: Path, hook: Hook, certificate: Path
) -> None:
    wanted = settings(tmp_path, HOOK, MAIL)
    fail(city, CARDS)
    hook.status = 503
    with mail_server(certificate) as (box, port):
        hub = hub_of(mail(port, certificate) | to_hook(hook))
        done = alarms.send(hub, wanted, SENDERS)
        assert [bool(t.problem) for t in done] == [True, False]
        with pytest.raises(SourceUnavailable, match="HTTP 503"):
            alarms.failed(done)
        hook.status = 200
        box.refuse = True
        assert [t.problem for t in alarms.send(hub, wanted, SENDERS)] == ["", ""]
    assert (len(box.mails), len(hook.bodies)) == (1, 1)


@pytest.mark.parametrize("ours", [True, False], ids=["no-tls", "unknown-certificate"])
def test_nothing_leaves_without_a_trusted_tls(
    city: Rehearsal, hub_of: Any, tmp_path: Path, certificate: Path, ours: bool
) -> None:
    wanted = settings(tmp_path, MAIL)
    fail(city, CARDS)
    with mail_server(None if ours else certificate) as (box, port):
        (told,) = alarms.send(hub_of(mail(port, certificate if ours else None)), wanted, SENDERS)
    assert told.problem.startswith("SourceUnavailable: ")
    assert box.mails == []


def test_a_refused_login_is_said_without_the_password(
    city: Rehearsal, hub_of: Any, tmp_path: Path, certificate: Path
) -> None:
    wanted = settings(tmp_path, MAIL)
    fail(city, CARDS)
    with mail_server(certificate) as (_, port):
        environment = {
            k: v.replace(PASSWORD, "wrong-1") for k, v in mail(port, certificate).items()
        }
        (told,) = alarms.send(hub_of(environment), wanted, SENDERS)
    assert told.problem == ("ConfigError: mail server of connection 'alarm_mail': login refused")


def test_a_webhook_beyond_this_machine_needs_https(
    city: Rehearsal, hub_of: Any, tmp_path: Path
) -> None:
    wanted = settings(tmp_path, HOOK)
    fail(city, CARDS)
    far = {"AIRFLOW_CONN_ALARM_HOOK": "http://hooks.example"}
    (told,) = alarms.send(hub_of(far), wanted, SENDERS)
    assert "needs https" in told.problem


def test_lateness_is_an_alarm_by_the_hubs_clock(
    city: Rehearsal, hub_of: Any, tmp_path: Path, hook: Hook
) -> None:
    wanted = settings(tmp_path, HOOK, kinds="[late]")
    alarms.send(hub_of(to_hook(hook)), wanted, SENDERS)
    assert CARDS not in {x["subject"] for x in hook.bodies[0]["new"]}
    alarms.send(hub_of(to_hook(hook), day=3), wanted, SENDERS)
    assert [x["subject"] for x in hook.bodies[1]["new"]] == [CARDS]
    alarms.send(hub_of(to_hook(hook)), wanted, SENDERS)
    assert [x["subject"] for x in hook.bodies[2]["ended"]] == [CARDS]


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("channels: []\n", "channels"),
        ("channels:\n  - {kind: pigeon}\n", "channels"),
        ("kinds: [rain]\nchannels:\n  - " + HOOK + "\n", "kinds.0"),
        ("channels:\n  - {kind: email, connection: m, from: x, to: [a@b]}\n", "from"),
    ],
)
def test_a_broken_file_names_its_field(tmp_path: Path, text: str, where: str) -> None:
    file = tmp_path / "alarms.yaml"
    file.write_text(text)
    with pytest.raises(InvalidFile, match=re.escape(where)):
        alarm_file.configured({"ONECARD_ALARMS": str(file)})
    assert alarm_file.configured({}) is None


def test_the_command(city: Rehearsal, hub_of: Any, tmp_path: Path, hook: Hook) -> None:
    settings(tmp_path, HOOK)
    fail(city, CARDS)

    def run(**more: str) -> subprocess.CompletedProcess[str]:
        return forked.onecard(city.at(0) | to_hook(hook) | more, "alarms", "send", "--json")

    done = run(ONECARD_ALARMS=str(tmp_path / "alarms.yaml"))
    assert done.returncode == 0, done.stderr
    (told,) = json.loads(done.stdout)
    assert (told["new"], told["ended"], told["problem"]) == (1, 0, "")
    assert len(hook.bodies) == 1
    assert run().returncode == 1
