"""Calls wait here, and workers take whatever waits as one group.

So groups grow with the load: one commit, one audit entry and one pass of the gate serve one call
when it is quiet, and dozens when it is not.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

import psycopg

from onecard.serve import codes
from onecard.serve.calls import Call
from onecard.serve.case import Reply
from onecard.store import database, persons
from onecard.store.database import Connection
from onecard.store.refusals import as_hub_error

WORKERS = 2
"""While one waits for its commit, or for a slow statement, the other looks up."""
LINGER_S = 0.1
"""So long a call waits for a worker that is busy before the other one takes what waits: two small
groups cost twice what one costs, and neither is sooner. A full group takes less."""
BACK_S = 0.0003
"""So long, for each call of the group before, whoever is free waits for more: the callers of that
group ask again at once, and two halves cost more than one whole. As long as a call takes to be
read."""
MOST_TOGETHER = 64
"""Calls of one group: how many wait for one that is slow."""
MOST_WAITING = 1_000
"""More are told to come later."""
REST_S = 0.5
"""After a failure of the hub's database."""

SESSION_LOST = (
    psycopg.OperationalError,
    psycopg.NotSupportedError,
    psycopg.errors.InvalidSqlStatementName,
)
"""After these a session is of no use; the second: a column has another type than its statements
were prepared for; the third: a statement that was to be prepared stood behind one that failed, and
the driver believes that the server has it."""

log = logging.getLogger(__name__)


class Answers(Protocol):
    """Answers a group (`onecard.serve.answering.Answering`)."""

    def answer(self, connection: Connection, calls: Sequence[Call]) -> list[Reply]:
        """The replies to calls, in their order."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    call: Call
    tell: Callable[[Reply], None] = field(repr=False)
    since: float


class Groups:
    """The queue and its workers.

    Args:
        address: of the hub's database.
        answers: answers groups.
    """

    def __init__(self, address: str, answers: Answers) -> None:
        self._address, self._answers = address, answers
        self._waiting: deque[_Waiting] = deque()
        self._changed = threading.Condition()
        self._busy = 0
        self._back = 0.0  # the time by which callers of the group before have asked again
        self._sessions = 0
        self._ends = threading.Event()
        self._threads = [
            threading.Thread(target=self._work, name=f"answers {n}", daemon=True)
            for n in range(WORKERS)
        ]

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    @property
    def alive(self) -> bool:
        """Whether all workers are there."""
        return all(thread.is_alive() for thread in self._threads)

    def put(self, call: Call, tell: Callable[[Reply], None]) -> None:
        """Have a call answered.

        Args:
            call: its signature is right.
            tell: is given the reply, once, from another thread.
        """
        with self._changed:
            full = self._ends.is_set() or len(self._waiting) >= MOST_WAITING
            if not full:
                self._waiting.append(_Waiting(call, tell, time.monotonic()))
                self._changed.notify()
        if full:
            tell(Reply(codes.UNAVAILABLE))

    def end(self) -> None:
        """Answer what waits, take nothing new, wait for the workers."""
        with self._changed:
            self._ends.set()
            self._changed.notify_all()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join()

    def _take(self) -> list[_Waiting]:
        """What waits, as soon as it is time for it; nothing: the end has come."""
        with self._changed:
            while (pause := self._pause()) is None or pause > 0:
                self._changed.wait(pause)
            count = min(len(self._waiting), MOST_TOGETHER)
            self._busy += bool(count)
            return [self._waiting.popleft() for _ in range(count)]

    def _done(self, calls: int) -> None:
        """A group of so many calls has been answered."""
        with self._changed:
            self._busy -= 1
            self._back = time.monotonic() + calls * BACK_S

    def _pause(self) -> float | None:
        """Seconds until what waits is taken by one who has nothing to do; None: nothing waits."""
        if self._ends.is_set():
            return 0.0
        if not self._waiting:
            return None
        if len(self._waiting) >= MOST_TOGETHER:
            return 0.0
        until = self._waiting[0].since + LINGER_S if self._busy else self._back
        return until - time.monotonic()

    def _work(self) -> None:
        """Answer groups until the end, with one session for as long as it holds."""
        more = True
        while more:
            try:
                more = self._session()
            except Exception as error:  # noqa: BLE001 - the worker outlives a session
                log.error("calls cannot be answered: %s", as_hub_error(error))  # noqa: TRY400
                more = self._rest()

    def _session(self) -> bool:
        """Answer by one session; False: the end has come."""
        with database.connect(self._address, autocommit=True) as connection:
            persons.prepare(connection)
            with self._counted():
                while group := self._take():
                    try:
                        self._answer(connection, group)
                    finally:
                        self._done(len(group))
        return False

    @contextmanager
    def _counted(self) -> Iterator[None]:
        """As one of the workers that have a session."""
        with self._changed:
            self._sessions += 1
        try:
            yield
        finally:
            with self._changed:
                self._sessions -= 1

    def _answer(self, connection: Connection, group: Sequence[_Waiting]) -> None:
        """Answer a group; each is told something, whatever happens.

        Raises:
            Exception: what has made the session useless.
        """
        replies: Sequence[Reply] = [Reply(codes.UNAVAILABLE) for _ in group]
        try:
            replies = self._answers.answer(connection, [w.call for w in group])
        except Exception as error:  # a defect that one call meets costs no call of another group
            if connection.broken or isinstance(error, SESSION_LOST):
                raise
            log.error("a group cannot be answered: %s", as_hub_error(error))  # noqa: TRY400
        finally:
            for waiting, reply in zip(group, replies, strict=True):
                waiting.tell(reply)

    def _rest(self) -> bool:
        """Refuse those who wait while no worker has a session; False: the end has come."""
        self._ends.wait(REST_S)  # not for `_changed`, whose call is for a worker with a session
        with self._changed:
            ends = self._ends.is_set()
            refused = [] if self._sessions else list(self._waiting)
            if refused:
                self._waiting.clear()
        for waiting in refused:
            waiting.tell(Reply(codes.UNAVAILABLE))
        return not ends
