"""Watches for misuse beside answering, and has the alarms told of it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from logging import getLogger

from onecard.daemon.complaint import Complaint
from onecard.operations import alarms
from onecard.operations.alarm_channels import tell
from onecard.operations.attention import IssueKind
from onecard.ports.desk import Desk
from onecard.serve.misuse import Inspection
from onecard.store import database

LOOK_S = 3.0
"""Seconds between two looks: so many more calls an operator may have made."""
TELL_S = 30.0
"""Seconds between two tries to tell the alarms, which a slow server may hold up."""
CLOSING_S = 5.0
"""A thread that has not ended by then ends with the process."""
KIND: IssueKind = "misuse"

log = getLogger(__name__)


class Watch:
    """Two threads: one looks at what was recorded, one tells the alarms what has come of it.

    Several processes may watch: one looks at a time, for all.

    Args:
        desk: the hub as it is now; None: its catalogue cannot be read, and nobody is answered.
    """

    def __init__(self, desk: Callable[[], Desk | None]) -> None:
        self._desk = desk
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=(each, span_s), name=name, daemon=True)
            for name, each, span_s in (
                ("misuse", self.look, LOOK_S),
                ("misuse alarms", self.tell, TELL_S),
            )
        ]
        self._unseen = Complaint(log, "calls are looked at for misuse later")
        self._untold = Complaint(log, "the alarms of misuse are told later")

    @property
    def alive(self) -> bool:
        """Whether its threads are there."""
        return all(thread.is_alive() for thread in self._threads)

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        """Stop, and look once more: nothing is left for whoever watches next."""
        self._stop.set()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(CLOSING_S)
        self.look()

    def look(self) -> None:
        """Hold the rules against what was recorded; what fails is looked at the next time."""
        desk = self._desk()
        if desk is None:
            return
        try:
            known, settings = desk.catalogue, desk.settings
            inspection = Inspection(
                known.misuse.rules, known.callers, settings.now(), settings.actor
            )
            with database.connect(desk.address, autocommit=True) as connection:
                for hit in inspection.run(connection) or ():
                    log.warning("%s: an operator is suspended, rule %s", hit.who.caller, hit.rule)
        except Exception as error:  # noqa: BLE001 - the next look may go well
            self._unseen.say(error)
        else:
            self._unseen.over()

    def tell(self) -> None:
        """Tell the alarms what is new, and what is over; what fails is told the next time."""
        desk = self._desk()
        if desk is None:
            return
        try:
            alarms.failed(tell(desk, (KIND,)))
        except Exception as error:  # noqa: BLE001 - the next try may go well
            self._untold.say(error)
        else:
            self._untold.over()

    def _run(self, each: Callable[[], None], span_s: float) -> None:
        while not self._stop.wait(span_s):
            each()
