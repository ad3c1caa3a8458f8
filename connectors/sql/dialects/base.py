"""What every dialect has, and what most have in common; a dialect's own file says the rest.

The texts of SQL here and there are made of quoted names and of literals that the hub itself makes;
no value of a row is ever in one.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from connectors.sql.dialects.bounds import literal
from connectors.sql.dialects.there import TableThere
from onecard.base.extras import extra
from onecard.base.timeouts import connect_seconds
from onecard.errors import ConfigError
from onecard.model.source_types import DeclaredColumn
from onecard.ports.source import Column

if TYPE_CHECKING:
    import pyarrow as pa
    from sqlalchemy import ColumnElement, Engine
    from sqlalchemy import Connection as Database
    from sqlalchemy.engine import URL
    from sqlalchemy.types import TypeEngine

    from connectors.sql.inbox_look import InboxTable
    from onecard.base.connections import Connection

Meaning = Literal["login", "right", "table", "column", "down", "full", "other"]
"""What an error of a driver means to us."""
SILENT_S = 600
"""Seconds between two packets: a server that says nothing for so long is gone."""
Keys = Sequence[tuple[Any, ...]]
_FIRST = datetime(1, 1, 1, tzinfo=UTC)


class Dialect(ABC):
    """One kind of database: how to reach it, read it, deliver into it, and what its errors mean.

    Attributes:
        name: of the dialect.
        title: as people call it.
        types: which part of `connectors/source_types.yaml` is its own.
        driver: SQLAlchemy's name of dialect and driver.
        module: the driver's module, imported when the database is used.
        extra: of the package, which brings the driver; empty: it is always there.
        tried: on what server the tests run; empty: no server was at hand.
        copies: read by COPY; parts share one state; compared by checksums of the database's own.
        session: statements at the beginning of a reading.
        snapshot: statements that begin a transaction in which all questions see one state.
        of_type: type → SQL of a column `{c}` that is asked for in a way of its own.
        expressions: way to ask for a column (`connectors/source_types.yaml`) → SQL of a column.
        read_only: statements that begin a transaction in which nothing can be changed.
        bounds: type → SQL of a literal of `{day}`, `{second}` or `{moment}`, never a later one.
        ancient: its times reach back before the year 1, which nothing of ours does.
        state: how one state is read, in words, for docs/sources.md.
        strict: statements at the beginning of a session that delivers.
        at_once: those are sent in one text.
        kept_open: a session that has delivered is kept for the next time.
        tells_case: `a` and `A` are two columns.
        as_text: a text column takes what is not text, in writing.
        counts: the number of rows that its driver reports of an INSERT is that of what is stored.
        blank: whether '' is NULL: never, always, or by the database's settings.
        at_most: values of one statement.
        makes_schemas: a schema that is absent can be made; else it is a login of its own.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    types: ClassVar[str]
    driver: ClassVar[str]
    module: ClassVar[str]
    extra: ClassVar[str] = ""
    tried: ClassVar[str] = ""
    copies: ClassVar[bool] = False
    session: ClassVar[tuple[str, ...]] = ()
    snapshot: ClassVar[tuple[str, ...]] = ()
    of_type: ClassVar[Mapping[str, str]] = {}
    expressions: ClassVar[Mapping[str, str]] = {}
    read_only: ClassVar[tuple[str, ...]] = ()
    bounds: ClassVar[Mapping[str, str]] = {}
    ancient: ClassVar[bool] = False
    state: ClassVar[str]
    strict: ClassVar[tuple[str, ...]] = ()
    at_once: ClassVar[bool] = False
    kept_open: ClassVar[bool] = True
    tells_case: ClassVar[bool] = False
    as_text: ClassVar[bool] = True
    counts: ClassVar[bool] = True
    blank: ClassVar[Literal["kept", "null", "asked"]] = "kept"
    at_most: ClassVar[int] = 10_000
    makes_schemas: ClassVar[bool] = True

    # --- how to reach it

    def load(self) -> None:
        """Import the driver.

        Raises:
            ConfigError: it is not installed, and names the extra; or cannot be loaded.
        """
        try:
            with extra(self.extra):
                import_module(self.module)
        except ImportError as error:  # of a library of the system that it stands on
            msg = f"{self.module} is installed, and cannot be loaded: {error}"
            raise ConfigError(msg) from error

    def url(self, connection: Connection) -> URL:
        """SQLAlchemy's address; `arguments` has what is no text.

        Raises:
            ConfigError: the driver is not installed.
        """
        from sqlalchemy.engine import URL  # noqa: PLC0415 - reading PostgreSQL does without

        self.load()
        return URL.create(
            self.driver,
            username=connection.login,
            password=connection.secret,
            host=connection.host,
            port=connection.port,
            database=connection.schema_,
            query=self.query(connection),
        )

    def query(self, connection: Connection) -> dict[str, str]:
        """Parameters of the address: defaults of ours, then the connection's own.

        Args:
            connection: of the database.
        """
        return {**self.defaults(connection), **{k: str(v) for k, v in connection.extra.items()}}

    def defaults(self, connection: Connection) -> dict[str, str]:  # noqa: ARG002 - for dialects
        """Parameters of the address that the connection may replace."""
        return {}

    def arguments(self, connection: Connection) -> dict[str, Any]:  # noqa: ARG002 - for dialects
        """What the driver's `connect` gets beside the address."""
        return {}

    def engine(self, connection: Connection, **more: Any) -> Engine:  # noqa: ANN401 - create_engine's
        """An engine, whose sessions give up on a server that says nothing.

        Args:
            connection: of the database.
            more: as for `create_engine`.

        Raises:
            ConfigError: the driver is not installed.
        """
        from sqlalchemy import create_engine  # noqa: PLC0415 - as above

        arguments = {**self.arguments(connection), **more.pop("connect_args", {})}
        found = create_engine(self.url(connection), connect_args=arguments, **more)
        self.listen(found)
        return found

    def listen(self, engine: Engine) -> None:  # noqa: B027 - most need nothing
        """Attach what every session needs."""

    def brief(self, connection: Connection, seconds: int) -> Engine:
        """An engine for a first statement only, which waits no longer than so many seconds.

        Args:
            connection: of the database.
            seconds: for each step.
        """
        return self.engine(connection, connect_args=self.waits(seconds))

    @abstractmethod
    def waits(self, seconds: int) -> dict[str, Any]:
        """The driver's arguments for so short a wait."""

    # --- how to read it

    def reading(self, connection: Connection, where: str) -> Engine:  # noqa: ARG002 - SQLite's
        """An engine that reads.

        Args:
            connection: of the database.
            where: dataset and table, for messages.
        """
        return self.engine(connection)

    @abstractmethod
    def there(self, database: Database, name: str, home: str | None) -> TableThere:
        """The columns of a table or view; none where the login sees no such table.

        Args:
            database: an open connection.
            name: of the table.
            home: its schema; None: the login's own.
        """

    def begin(self, database: Database) -> None:
        """Begin a transaction in which all questions see one state.

        Raises:
            ConfigError: the database is not set up for it.
        """
        database.rollback()
        for statement in self.snapshot:
            database.exec_driver_sql(statement)

    def quoted(self, name: str) -> str:
        """An identifier."""
        return '"' + name.replace('"', '""') + '"'

    def plain(self, name: str) -> ColumnElement[Any]:
        """A column by its name, quoted whatever it is."""
        from sqlalchemy import column  # noqa: PLC0415 - as above
        from sqlalchemy.sql import quoted_name  # noqa: PLC0415 - as above

        return column(quoted_name(name, quote=True))

    def selected(self, wanted: Column, there: DeclaredColumn | None) -> ColumnElement[Any]:
        """A column as it is asked for.

        Args:
            wanted: by its native name.
            there: as the table declares it; None where it does not.
        """
        from sqlalchemy import literal_column  # noqa: PLC0415 - as above

        if there is None:
            return self.plain(wanted.native)
        form = self.of_type.get(there.type.name) or self.expressions.get(there.type.read)
        if form is None:
            return self.plain(there.name)
        return literal_column(form.format(c=self.quoted(there.name)))

    def since(
        self, there: DeclaredColumn, number: int | None, moment: datetime
    ) -> ColumnElement[bool] | None:
        """`cursor >= bound`, and rows that have no place behind any bound.

        Those are rows without a cursor, or with one that is no time of ours.

        Args:
            there: the cursor's column.
            number: the bound of a cursor that counts; None: it is the moment.
            moment: in the zone of the database's clock times.

        Returns:
            The condition; None where the cursor's type knows no such bound.
        """
        from sqlalchemy import literal_column  # noqa: PLC0415 - as above

        bound = literal(there.type, self.bounds, number, moment)
        if bound is None:
            return None
        name = self.quoted(there.name)
        found = f"{name} >= {bound} OR {name} IS NULL"
        if self.ancient and number is None:
            found += f" OR {name} < {literal(there.type, self.bounds, None, _FIRST)}"
        return literal_column(f"({found})")

    @abstractmethod
    def remainder(self, columns: Sequence[str], count: int) -> str | None:
        """SQL of a number from 0 to `count` - 1, made of a key's values; None: it has no hash.

        Args:
            columns: of the key, quoted.
            count: of partitions.
        """

    # --- how to deliver into it

    @abstractmethod
    def look(self, database: Database, schema: str | None, name: str) -> InboxTable | None:
        """The inbox table as it is; None when there is none of that name.

        Args:
            database: a session of the inbox.
            schema: of the table; None: the login's own.
            name: of the table.
        """

    def named(self, name: str) -> str:
        """A column's name as `InboxTable` spells it."""
        return name if self.tells_case else name.lower()

    def watch(self, engine: Engine) -> None:  # noqa: B027 - as above
        """Attach what notices that something is not stored as it was sent."""

    def collation(self, database: Database) -> str:  # noqa: ARG002 - for dialects
        """The collation in which every key differs from every other, as people write it."""
        return ""

    def shape(self, collation: str) -> dict[str, Any]:  # noqa: ARG002 - MySQL's
        """Options of a table that is made, beside its columns."""
        return {}

    def column_type(self, kind: pa.DataType, *, keyed: bool) -> TypeEngine[Any]:
        """The type of a column that keeps all values of an Arrow type.

        Args:
            kind: as it is sent.
            keyed: the column is a part of the key.
        """
        from connectors.sql.dialects import column_types  # noqa: PLC0415 - as above

        return column_types.usual(kind, keyed=keyed)

    def remark(self) -> TypeEngine[Any]:
        """The type of the hub's own remark when a row came, a clock time of whole seconds."""
        from sqlalchemy import DateTime  # noqa: PLC0415 - as above

        return DateTime()

    def stored(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """A batch, its columns as the database stores them."""
        from connectors.sql.dialects import column_types  # noqa: PLC0415 - as above

        return column_types.local(batch)

    def settle(self, database: Database) -> None:  # noqa: B027 - as above
        """Have everything happen now that the database would do at the commit."""

    def blank_is_null(self, database: Database) -> bool:
        """Whether the database keeps '' as NULL."""
        if self.blank == "asked":
            found = database.exec_driver_sql(self.blank_question).scalar()
            return found is not None and int(found) == 1
        return self.blank == "null"

    blank_question: ClassVar[str] = "SELECT CASE WHEN '' IS NULL THEN 1 ELSE 0 END"

    def matches(self, columns: Sequence[ColumnElement[Any]], keys: Keys) -> ColumnElement[bool]:
        """The rows of these keys.

        Args:
            columns: of the key.
            keys: values in that order.
        """
        from sqlalchemy import tuple_  # noqa: PLC0415 - as above

        return tuple_(*columns).in_(keys)

    def exact(self, columns: Sequence[ColumnElement[Any]], keys: Keys) -> ColumnElement[bool]:
        """The rows whose texts are these byte by byte, whatever a collation takes for equal.

        Args:
            columns: of the key, those that are texts.
            keys: texts in that order.
        """
        from sqlalchemy import LargeBinary, cast  # noqa: PLC0415 - as above

        written = [tuple(text.encode() for text in key) for key in keys]
        return self.matches([cast(c, LargeBinary) for c in columns], written)

    # --- what its errors mean

    @abstractmethod
    def meaning(self, error: BaseException) -> Meaning:
        """What a driver's error means; codes first, words only where there is no code."""

    def hint(self, error: BaseException) -> str:  # noqa: ARG002 - for dialects
        """What can be done about an error, as the end of a sentence; empty: nothing is known."""
        return ""


def patience(connection: Connection) -> int:
    """Seconds that the server may take to accept a connection."""
    return connect_seconds(connection.extra)


def by_words(error: BaseException, words: Iterable[tuple[str, Meaning]]) -> Meaning:
    """The meaning of the first of some words that stands in an error's text.

    Args:
        error: a driver's.
        words: in lower case, the narrower before the wider.
    """
    text = str(error).lower()
    return next((meaning for word, meaning in words if word in text), "other")


def own(connection: Connection, *but: str) -> dict[str, Any]:
    """A connection's extra as a driver's arguments, whole numbers as such.

    Args:
        connection: of the database.
        but: names that are no arguments of the driver.
    """
    found: dict[str, Any] = {}
    for key, value in connection.extra.items():
        if key not in but:
            digits = isinstance(value, str) and value.isascii() and value.isdigit()
            found[key] = int(value) if digits else value
    return found
