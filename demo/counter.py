"""The counter of the bureau of human resources, where a resident reports a card lost.

The bureau writes the loss into its own systems, as it does on every simulated day, and then calls
the live lane (docs/waking.md). Its clock is the rehearsal's.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import count

import numpy as np
import polars as pl
import psycopg
import requests
from psycopg import sql

from demo.chance import uscc
from demo.logins import WAKE
from demo.planting import text_frame
from demo.run import DemoCity
from onecard.base.platform_signature import Credential, signed_headers
from onecard.errors import ConfigError
from schemas.models.contract import Contract

EVENTS, CARDS = "hrss/card_status_event", "hrss/card_master"
BEFORE = timedelta(seconds=2)
"""So long before the rehearsal's present the first loss is reported; each next one 1 ms later."""
TAKEN = ("00", "01")
"""Answers to a wake-up that was taken (docs/waking.md)."""
CALL_S = 5.0
"""The lane is called for so long at most: the counter's own work does not wait for it."""


class Counter:
    """A window where cards are reported lost, one after the other.

    Args:
        city: whose bureau it belongs to.
        day: the rehearsal's clock stands in the night after it.
    """

    def __init__(self, city: DemoCity, day: int) -> None:
        self._city, self._day = city, day
        self._numbers = count(1)

    def report_lost(self, card_no: str) -> datetime:
        """Write a loss of a card in normal use; returns the time that the event says.

        No two events of the city have the same time.

        Args:
            card_no: of a card without an event before.
        """
        number = next(self._numbers)
        at = self._city.now(self._day) - BEFORE + timedelta(milliseconds=number)
        self._mark(self._city.catalogue.contract(CARDS), card_no, at)
        event = {
            "event_id": f"0193{self._day:04d}-9999-7000-8000-{number:012d}",
            "card_no": card_no,
            "event_seq": 1,
            "event_type": "08",
            "from_status": "1",
            "to_status": "2",
            "channel": "01",
            "occurred_at": at.astimezone(UTC),
            "effective_at": at.astimezone(UTC),
            "operator_org": uscc(np.array([1_000_000]))[0],
        }
        contract = self._city.catalogue.contract(EVENTS)
        kinds: dict[str, pl.DataType] = {
            "integer": pl.Int64(),
            "timestamp": pl.Datetime("us", "UTC"),
        }
        schema = {f.name: kinds.get(f.type, pl.String()) for f in contract.fields}
        self._city.add(contract, text_frame(pl.DataFrame([event], schema=schema)))
        return at

    def wake(self, door: str) -> str:
        """Call the live lane, once, after everything is written; returns its answer's code.

        Args:
            door: address of the lane.

        Raises:
            ConfigError: the agency is not to wake anybody.
            requests.RequestException: nobody answers there.
        """
        contract = self._city.catalogue.contract(EVENTS)
        form = self._city.catalogue.agencies[contract.agency].wake
        if form is None:
            msg = f"{contract.agency} has no `wake` in agencies.yaml"
            raise ConfigError(msg)
        login = self._city.login(WAKE)
        credential = Credential(login["login"], login["password"].encode(), form)
        with requests.Session() as session:
            session.trust_env = False  # no proxy between two processes of one machine
            answer = session.post(
                f"{door}/events/{EVENTS}", headers=signed_headers(credential), timeout=CALL_S
            )
        return str(answer.json()["code"])

    def _mark(self, contract: Contract, card_no: str, at: datetime) -> None:
        """The bureau's own card table says lost, too; the hub reads it in the night."""
        statement = sql.SQL(
            "UPDATE {table} SET {status} = '2', {updated} = %(at)s, {seq} = {seq} + 1"
            " WHERE {card} = %(card)s"
        ).format(
            table=sql.Identifier("hrss", str(contract.source.options["table"])),
            status=sql.Identifier(contract.field("card_status").native),
            updated=sql.Identifier(contract.field("source_updated_at").native),
            seq=sql.Identifier(contract.field("source_seq").native),
            card=sql.Identifier(contract.field("card_no").native),
        )
        with psycopg.connect(self._city.postgres_url) as connection:
            connection.execute(statement, {"at": at, "card": card_no})
