"""Conditions about the carriers that a dataset tells of, as SQL (`schemas.models.carrier`)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from psycopg import sql

from onecard.base.sql_text import query
from onecard.deliver.scope_sql import BASE
from schemas.models.agreement import Agreement
from schemas.models.carrier import Carrier
from schemas.models.contract import Contract

HELD = sql.Identifier("pg_temp", "held_carrier")
"""Temporary table of carriers whose events do not leave yet: `carrier`, `version`, `lagging`."""


@dataclass(frozen=True)
class CarrierSql:
    """Conditions about the carriers of one dataset.

    Attributes:
        contract: of the dataset.
        carrier: its block.
    """

    contract: Contract
    carrier: Carrier

    @classmethod
    def of(cls, contract: Contract) -> CarrierSql | None:
        """Of a contract; None where its rows tell of no carriers."""
        return None if contract.carrier is None else cls(contract, contract.carrier)

    @property
    def table(self) -> sql.Identifier:
        """Where its events are published."""
        return sql.Identifier("registry", self.contract.table)

    def column(self, name: str, alias: str = BASE) -> sql.Identifier:
        """A field of it."""
        return sql.Identifier(alias, name)

    def blocks(self, alias: str) -> sql.Composed:
        """Whether an event leaves its carrier blocked."""
        codes = sql.SQL(", ").join(map(sql.Literal, self.carrier.blocked.in_))
        column = self.column(self.carrier.blocked.field, alias)
        return query("{c} IN ({codes})", c=column, codes=codes)

    def enables(self) -> sql.Composed:
        """Whether an event may leave its carrier in use: no event since then has blocked it.

        An event that was followed by a block says nothing any more; it leaves with that block, in
        their order.
        """
        field, sequence = self.carrier.field, self.carrier.sequence
        return query(
            "NOT EXISTS (SELECT FROM {t} _later WHERE {same} = {mine} AND {after} >= {number}"
            " AND {blocks} AND _later._deleted_at IS NULL)",
            t=self.table,
            same=self.column(field, "_later"),
            mine=self.column(field),
            after=self.column(sequence, "_later"),
            number=self.column(sequence),
            blocks=self.blocks("_later"),
        )

    def waiting(self, agreement: str) -> sql.Composed:
        """Whether an event's carrier was left out by the agreement's last delivery."""
        return query(
            "{mine} IN (SELECT _w.carrier FROM registry.waiting_carrier _w"
            " WHERE _w.agreement = {agreement})",
            mine=self.column(self.carrier.field),
            agreement=sql.Literal(agreement),
        )

    def left_out(self, agreement: Agreement) -> sql.Composed:
        """Whether the agreement's last delivery left an event out: its carrier's new ones.

        Args:
            agreement: in whose scope it stands.
        """
        new = newer(
            agreement,
            lambda d: query("coalesce((_w.seen ->> {d})::bigint, 0)", d=sql.Literal(d)),
        )
        return query(
            "EXISTS (SELECT FROM registry.waiting_carrier _w WHERE _w.agreement = {agreement}"
            " AND _w.carrier = {mine} AND ({new}))",
            agreement=sql.Literal(agreement.id),
            mine=self.column(self.carrier.field),
            new=sql.SQL(" OR ").join(new.values()),
        )


def newer(agreement: Agreement, seen: Callable[[str], sql.Composable]) -> dict[str, sql.Composed]:
    """By alias, whether an event is new to the consumer by its own row, or by a joined one.

    What the consumer had when the old carrier was blocked is never taken from it.

    Args:
        agreement: in whose scope the event stands.
        seen: SQL of the version of a dataset up to which the consumer has what is in scope.
    """
    sources = {BASE: agreement.dataset}
    sources |= {j.alias: j.dataset for j in agreement.joins if not j.first_by}
    return {
        alias: query(
            "({now} > {seen} AND {first} > {seen})",
            now=sql.Identifier(alias, "_version"),
            first=sql.Identifier(alias, "_first_version"),
            seen=seen(dataset),
        )
        for alias, dataset in sources.items()
    }
