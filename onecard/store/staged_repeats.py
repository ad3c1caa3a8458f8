"""Staged rows that repeat another: by the key, or by the columns of a `unique` rule."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from psycopg import sql

from onecard.base.sql_text import names, query
from onecard.store import arrow, registry, row_order, staging
from onecard.store.database import Connection, fetch_one, scalars
from schemas.models.contract import Contract
from schemas.models.rules import Unique

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class Repeats:
    """Staged rows that repeated another of their key.

    Attributes:
        dropped: taken out: each key keeps one row.
        tied: those of them whose content differs from the kept row's, while the contract says of
            neither that it is the newer one.
    """

    dropped: int
    tied: int


def deduplicate(connection: Connection, contract: Contract, transfer: int) -> Repeats:
    """Keep the newest row of each key among the staged rows, by the contract's order.

    Between rows that the order leaves equal the content decides, so that the same one is kept
    every night, however the rows lie in the source or came here.

    Args:
        connection: of the hub's database.
        contract: names the key and the order.
        transfer: whose table it is.
    """
    positions = staging.positioned(connection, contract, transfer)
    declared = row_order.declared(contract, positions=positions)
    statement = query(
        "WITH repeated AS (SELECT {key} FROM {t} GROUP BY {key} HAVING count(*) > 1),"
        " ranked AS (SELECT s.ctid AS place, row_number() OVER newest AS n,"
        " rank() OVER declared = 1 AND _row_hash <> first_value(_row_hash) OVER newest AS tied"
        " FROM {t} s JOIN repeated USING ({key})"
        " WINDOW newest AS (PARTITION BY {key} ORDER BY {newest}),"
        " declared AS (PARTITION BY {key}{declared})),"
        " gone AS (DELETE FROM {t} s USING ranked d WHERE s.ctid = d.place AND d.n > 1"
        " RETURNING d.tied)"
        " SELECT count(*) AS dropped, count(*) FILTER (WHERE tied) AS tied FROM gone",
        t=staging.table(contract, transfer),
        key=names(contract.key),
        newest=row_order.newest_first(contract, positions=positions),
        declared=query(" ORDER BY {d}", d=declared) if declared else query(""),
    )
    return fetch_one(connection, Repeats, statement) or Repeats(0, 0)


def published_hashes(address: str, contract: Contract, transfer: int) -> npt.NDArray[np.int64]:
    """Hashes of the live published rows whose keys are among the staged ones.

    Args:
        address: of the hub's database.
        contract: names the key.
        transfer: whose table it is.
    """
    statement = query(
        "SELECT t._row_hash FROM {s} s JOIN {t} t ON {on} WHERE t._deleted_at IS NULL",
        s=staging.table(contract, transfer),
        t=registry.published(contract),
        on=staging.pairs(contract.key),
    )
    return arrow.integers(address, statement)


def stage_published(
    connection: Connection, contract: Contract, transfer: int, places: Mapping[int, int]
) -> int:
    """Stage published rows beside the staged rows of their keys; return how many.

    Args:
        connection: of the hub's database.
        contract: names fields and key.
        transfer: whose table it is.
        places: the rows by hash, each with its last place in the reading.
    """
    positions = staging.positioned(connection, contract, transfer)
    more = query(", {p}", p=sql.Identifier(row_order.POSITION)) if positions else query("")
    statement = query(
        "INSERT INTO {staged} ({columns}, _row_hash{more}) SELECT {values}, t._row_hash{place}"
        " FROM (SELECT DISTINCT {key} FROM {staged}) s JOIN {t} t ON {same_key}"
        " JOIN unnest(%s::bigint[], %s::bigint[]) AS u (hash, place) ON u.hash = t._row_hash"
        " WHERE t._deleted_at IS NULL",
        staged=staging.table(contract, transfer),
        t=registry.published(contract),
        key=names(contract.key),
        columns=names(contract.names),
        values=names(contract.names, "t."),
        more=more,
        place=query(", u.place" if positions else ""),
        same_key=staging.pairs(contract.key),
    )
    return connection.execute(statement, [list(places), list(places.values())]).rowcount


def unstage_published(
    connection: Connection, contract: Contract, transfer: int, hashes: Collection[int]
) -> int:
    """Take rows out again that equal the published row of their key; return how many.

    Args:
        connection: of the hub's database.
        contract: names the key.
        transfer: whose table it is.
        hashes: of the rows that were staged beside others.
    """
    statement = query(
        "DELETE FROM {s} s USING {t} t WHERE {on} AND s._row_hash = t._row_hash"
        " AND t._deleted_at IS NULL AND s._row_hash = ANY(%s::bigint[])",
        s=staging.table(contract, transfer),
        t=registry.published(contract),
        on=staging.pairs(contract.key),
    )
    return connection.execute(statement, [list(hashes)]).rowcount


@dataclass(frozen=True, slots=True)
class _Later:
    """Which staged rows repeat another row's unique columns and came later."""

    contract: Contract
    staged: sql.Identifier
    positions: bool
    rule: Unique

    def places(self, *, against_registry: bool) -> sql.Composed:
        """Query: their ctids. Rows older than the published one of their key do not count."""
        contract = self.contract
        order = [*contract.ordering, *([row_order.POSITION] if self.positions else [])]
        inside = query(
            "SELECT place FROM (SELECT ctid AS place, row_number() OVER (PARTITION BY {columns}"
            " ORDER BY {order}) AS n FROM {staged} s WHERE {current}) d WHERE n > 1",
            columns=names(self.rule.columns),
            order=names([*order, *contract.key]),
            staged=self.staged,
            current=self._not_older() if against_registry else query("true"),
        )
        return inside + self._published() if against_registry else inside

    def _published(self) -> sql.Composed:
        """Of rows of another key that are published, and stay as they are."""
        key = self.contract.key
        same_key = [query("r.{c} = t.{c}", c=sql.Identifier(c)) for c in key]
        return query(
            " UNION SELECT s.ctid FROM {staged} s JOIN {registry} t ON {same} AND ({t}) <> ({s})"
            " AND t._deleted_at IS NULL AND NOT EXISTS"
            " (SELECT FROM {staged} r WHERE {same_key} AND NOT {older})",
            staged=self.staged,
            registry=registry.published(self.contract),
            same=staging.pairs(self.rule.columns),
            t=names(key, "t."),
            s=names(key, "s."),
            same_key=sql.SQL(" AND ").join(same_key),
            older=row_order.older(self.contract, positions=self.positions, staged="r"),
        )

    def _not_older(self) -> sql.Composed:
        return query(
            "NOT EXISTS (SELECT FROM {t} t WHERE {on} AND {older})",
            t=registry.published(self.contract),
            on=staging.pairs(self.contract.key),
            older=row_order.older(self.contract, positions=self.positions),
        )


def take_repeated(
    connection: Connection,
    contract: Contract,
    transfer: int,
    rule: Unique,
    *,
    against_registry: bool,
) -> list[dict[str, str | None]]:
    """Take out staged rows that repeat another row's unique columns and came later.

    Args:
        connection: of the hub's database.
        contract: of the dataset.
        transfer: whose table it is.
        rule: names the columns.
        against_registry: compare with published rows too.

    Returns:
        Their values by field, as text.
    """
    staged = staging.table(contract, transfer)
    positions = staging.positioned(connection, contract, transfer)
    later = _Later(contract, staged, positions, rule)
    statement = query(
        "DELETE FROM {t} x WHERE x.ctid IN ({places}) RETURNING"
        " to_jsonb(x) - '_row_hash' - '_position'",
        t=staged,
        places=later.places(against_registry=against_registry),
    )
    return [_texts(values) for values in scalars(connection, dict, statement)]


def _texts(values: Mapping[str, object]) -> dict[str, str | None]:
    return {k: v if v is None or isinstance(v, str) else json.dumps(v) for k, v in values.items()}
