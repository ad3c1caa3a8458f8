"""Alarms by e-mail or webhook: each issue is told once, and once more when it is over.

Channels stand in the file that ONECARD_ALARMS names (`onecard.operations.alarm_file`).
What was told is kept per channel in `alarms.json` of ONECARD_HOME; a channel that fails is tried
again next time. Issues with one cause stand together, and each says who receives what it concerns.
Messages name dataset, agreement, counts and commands; never a value of a row.
"""

from __future__ import annotations

import fcntl
import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from onecard.base import files
from onecard.base.connections import Connection
from onecard.base.personal import redact
from onecard.errors import ConfigError, SourceUnavailable, as_onecard_error, unwritten
from onecard.operations.alarm_file import AlarmFile, Channel, Email
from onecard.operations.alarm_news import Message, News
from onecard.operations.attention import Issue, IssueKind, issues
from onecard.operations.causes import Causes, receivers_text, receiving
from onecard.ports.desk import Desk
from onecard.store import database
from schemas.models.catalogue import Catalogue

STATE = "alarms.json"


@dataclass(frozen=True, slots=True)
class Told:
    """How telling one channel went."""

    channel: str
    new: int
    ended: int
    problem: str = ""


Sender = Callable[[Connection, Any, Message], None]


def send(
    desk: Desk,
    wanted: AlarmFile,
    senders: Mapping[str, Sender],
    kinds: Collection[IssueKind] | None = None,
) -> list[Told]:
    """Tell every channel what it does not know yet; one that fails does not stop the others.

    Args:
        desk: the hub.
        wanted: the settings.
        senders: `email` and `webhook`.
        kinds: only these are looked at and told, of those that are wanted; None: all.
    """
    looked = [kind for kind in wanted.kinds if kinds is None or kind in kinds]
    with database.connect(desk.address, autocommit=True) as connection:
        present = [i for i in issues(connection, desk, looked) if not i.onboarding]
    causes = Causes(desk.catalogue, present)
    now = {_key(i): _item(i, desk.catalogue, causes) for i in present}
    done: list[Told] = []
    with _state(desk.settings.home) as known:
        for channel in wanted.channels:
            name = _name(channel)
            told = known.get(name, {})
            # Where all is looked at, what is wanted no more is over; else it is left as it is.
            before = {k: i for k, i in told.items() if kinds is None or i["kind"] in kinds}
            new = tuple(item for key, item in now.items() if key not in before)
            ended = tuple(item for key, item in before.items() if key not in now)
            problem = ""
            if new or ended:
                known_causes = frozenset(now[k]["cause"] for k in before if k in now)
                news = News(desk.settings.now(), new, ended, known_causes)
                problem = _attempt(desk, channel, senders, news)
            done.append(Told(name, len(new), len(ended), problem))
            if not problem:
                known[name] = {k: i for k, i in told.items() if k not in before} | now
    return done


def told_of(home: Path, kind: IssueKind) -> bool:
    """Whether some channel was told of an issue of a kind, and not yet that it is over.

    Args:
        home: where that is remembered.
        kind: of the issue.
    """
    known = _read(home / STATE)
    return any(item["kind"] == kind for told in known.values() for item in told.values())


def _attempt(desk: Desk, channel: Channel, senders: Mapping[str, Sender], news: News) -> str:
    """An empty text, or why the channel could not be told."""
    try:
        senders[channel.kind](desk.connections.get(channel.connection), channel, news)
    except Exception as caught:  # noqa: BLE001 - Airflow's too, of a connection that it has not
        error = as_onecard_error(caught)
        return f"{type(error).__name__}: {error}"
    return ""


def _name(channel: Channel) -> str:
    to = ",".join(channel.to) if isinstance(channel, Email) else channel.path
    return f"{channel.kind}:{channel.connection}:{to}"


def _key(issue: Issue) -> str:
    """What makes an issue the same one: a second failure in a row is no news."""
    return f"{issue.kind}|{issue.subject}"


def _item(issue: Issue, known: Catalogue, causes: Causes) -> dict[str, str]:
    agreements = receiving(known, issue)
    return {
        "kind": issue.kind,
        "subject": issue.subject,
        "says": redact(" ".join(issue.says.split())),
        "who": issue.who,
        "todo": issue.todo,
        "cause": causes.of(issue),
        "receivers": receivers_text(known, agreements),
    }


@contextmanager
def _state(home: Path) -> Iterator[dict[str, dict[str, dict[str, str]]]]:
    """What was told, per channel; two processes at once take turns."""
    file = home / STATE
    with _turn(home):
        known = _read(file)
        try:
            yield known
        finally:  # a full disk is no reason for silence: then it is told once more next time
            files.write(file, json.dumps(known, ensure_ascii=False, indent=1))


@contextmanager
def _turn(home: Path) -> Iterator[None]:
    try:
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = (home / f".{STATE}.lock").open("w")
    except OSError as error:
        raise unwritten(str(home / STATE), error) from None
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _read(file: Path) -> dict[str, dict[str, dict[str, str]]]:
    if not file.exists():
        return {}
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except ValueError:
        found = None
    if not isinstance(found, dict):
        msg = f"{file}: is not what the alarms wrote; remove it, then everything is told again"
        raise ConfigError(msg)
    return found


def failed(done: Iterable[Told]) -> None:
    """Raise when a channel could not be told.

    Raises:
        SourceUnavailable: names the channels and why.
    """
    problems = [f"{t.channel}: {t.problem}" for t in done if t.problem]
    if problems:
        raise SourceUnavailable("; ".join(problems))
