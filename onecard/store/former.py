"""Old values of the fields by which agreements find rows, until every agreement has looked.

A row that changes such a field no longer meets what it met before, so whoever asks only for what
is new would miss the rows that it leaves behind. Whenever a changed row is published, the old
values of its dataset's link fields (`ledger.link_field`) are kept in `registry.former` with the
version that replaced them. They go when all agreements that read the dataset have passed that
version, and after `KEPT` at the latest: an agreement that lags so far behind looks at all rows.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date

from psycopg import sql

from onecard.base.sql_text import names, query
from onecard.store import retention, staging
from onecard.store.database import Connection, fetch_all, scalars
from schemas.models.contract import Contract

KEPT = retention.CHANGES_KEPT
"""Old values are kept no longer."""

Links = Mapping[str, Collection[str]]
"""Dataset → fields by which its rows are found."""


@dataclass(frozen=True, slots=True)
class _Field:
    dataset: str
    field: str


def require(connection: Connection, links: Links) -> None:
    """See to it that old values of these fields are kept from now on.

    Waits for whoever publishes one of the datasets at this moment without keeping them.

    Args:
        connection: outside a transaction.
        links: fields by dataset.
    """
    wanted = {(d, f) for d, fields in links.items() for f in fields}
    if wanted <= _known(connection, links):
        return
    with connection.transaction():
        connection.execute(
            "SELECT FROM ledger.dataset WHERE dataset = ANY(%s) ORDER BY dataset FOR UPDATE",
            (sorted(links),),
        )
        with connection.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO ledger.link_field (dataset, field) VALUES (%s, %s)"
                " ON CONFLICT DO NOTHING",
                sorted(wanted),
            )


def _known(connection: Connection, links: Links) -> set[tuple[str, str]]:
    found = fetch_all(
        connection,
        _Field,
        "SELECT dataset, field FROM ledger.link_field WHERE dataset = ANY(%s)",
        (sorted(links),),
    )
    return {(line.dataset, line.field) for line in found}


def keep(
    connection: Connection,
    contract: Contract,
    staged: sql.Composable,
    changed: sql.Composable,
    version: int,
) -> None:
    """Keep the old link values of rows that are about to be overwritten.

    Args:
        connection: in the transaction that publishes, with the dataset locked.
        contract: of the dataset.
        staged: the table of the new rows, `s`.
        changed: condition on `t` (published) and `s`: the row is overwritten.
        version: that the new rows get.
    """
    fields = scalars(
        connection,
        str,
        "SELECT field FROM ledger.link_field WHERE dataset = %s ORDER BY field",
        (contract.id,),
    )
    fields = [f for f in fields if f in contract.names and f not in contract.key]
    if not fields:
        return
    listed = [*contract.key, *fields]
    pairs = sql.SQL(", ").join(
        query("{n}, t.{c}", n=sql.Literal(f), c=sql.Identifier(f)) for f in listed
    )
    connection.execute(
        query(
            "INSERT INTO registry.former (dataset, version, kept_on, link)"
            " SELECT {dataset}, {version}, current_date, jsonb_build_object({pairs})"
            " FROM {t} t JOIN {s} s ON {on}"
            " WHERE {changed} AND ROW({old}) IS DISTINCT FROM ROW({new})",
            dataset=sql.Literal(contract.id),
            version=sql.Literal(version),
            pairs=pairs,
            t=sql.Identifier("registry", contract.table),
            s=staged,
            on=staging.pairs(contract.key),
            changed=changed,
            old=names(fields, "t."),
            new=names(fields, "s."),
        )
    )


def purge(connection: Connection, today: date) -> None:
    """Drop old values that every agreement has passed, or that are too old to wait.

    Args:
        connection: in the transaction that confirms a delivery, or none.
        today: the hub's day.
    """
    limit = today - KEPT
    connection.execute(
        "UPDATE ledger.holding_head h SET basis = '' WHERE h.basis <> '' AND EXISTS"
        " (SELECT FROM registry.former f WHERE f.kept_on < %s AND h.versions ? f.dataset"
        " AND f.version > (h.versions ->> f.dataset)::bigint)",
        (limit,),
    )
    connection.execute(
        "DELETE FROM registry.former f WHERE f.kept_on < %s OR f.version <= ALL"
        " (SELECT (h.versions ->> f.dataset)::bigint FROM ledger.holding_head h"
        " WHERE h.basis <> '' AND h.versions ? f.dataset)",
        (limit,),
    )


def table(
    contract: Contract, fields: Collection[str], after: int | None, *, old: bool
) -> sql.Composed:
    """Rows of a dataset by their link fields: as they are, and where asked as they were.

    Columns: the fields and `_version`.

    Args:
        contract: of the dataset.
        fields: of its link fields.
        after: only versions above it; None: all.
        old: with old values.
    """
    newer = query("_version > {v}", v=sql.Literal(after)) if after is not None else query("true")
    now = query(
        "SELECT {c}, _version FROM {t} WHERE {newer}",
        c=names(sorted(fields)),
        t=sql.Identifier("registry", contract.table),
        newer=newer,
    )
    if not old:
        return now
    return query("{now} UNION ALL {was}", now=now, was=old_values(contract, fields, after or 0))


def old_values(contract: Contract, fields: Collection[str], after: int = 0) -> sql.Composed:
    """Rows of a dataset as they were; columns as `table`.

    Args:
        contract: of the dataset.
        fields: of its link fields.
        after: only versions above it.
    """
    was = sql.SQL(", ").join(
        query(
            "(link ->> {n})::{type} AS {c}",
            n=sql.Literal(f),
            type=staging.column_type(contract.field(f)),
            c=sql.Identifier(f),
        )
        for f in sorted(fields)
    )
    return query(
        "SELECT {was}, version AS _version FROM registry.former"
        " WHERE dataset = {d} AND version > {v}",
        was=was,
        d=sql.Literal(contract.id),
        v=sql.Literal(after),
    )
