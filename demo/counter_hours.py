"""The counter of `onecard up`: a card is reported lost now and then, and the lane is woken."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import requests

from demo import card_holders
from demo.counter import TAKEN, Counter
from onecard.app.wiring import Hub
from onecard.errors import OnecardError

EACH_S = 30.0
"""Between two losses."""

log = logging.getLogger(__name__)


@contextmanager
def kept(counter: Counter, hub: Hub, door: str) -> Iterator[None]:
    """Keep the counter open while the context lasts; it waits until cards have been collected.

    Args:
        counter: where cards are reported lost.
        hub: whose registry says which cards are in normal use.
        door: of the live lane.
    """
    stop = threading.Event()
    thread = threading.Thread(target=_serve, args=(stop, counter, hub, door), daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _serve(stop: threading.Event, counter: Counter, hub: Hub, door: str) -> None:
    """One loss after the other; what fails is said, and the next one may go well."""
    reported: set[str] = set()
    while not stop.wait(EACH_S):
        try:
            card = card_holders.widely_known(hub, reported)
            if card is None:
                continue
            reported.add(card)
            counter.report_lost(card)
            answer = counter.wake(door)
        except (OnecardError, psycopg.Error, requests.RequestException) as error:
            log.warning("a loss was not reported, or woke nobody (%s)", type(error).__name__)
            continue
        if answer not in TAKEN:
            log.warning("the lane answered %s to the counter's wake-up", answer)
