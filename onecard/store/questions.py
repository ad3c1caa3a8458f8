"""Calls about one person each: written in groups, before any of them is answered.

What is kept of a call is who asked for whom, for what and on which basis, and the receipt, which
holds no value of a row: never what was answered. A person is the keyed reference that the
disclosure ledger has (`onecard.store.disclosures`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from onecard.errors import InternalError
from onecard.store import months
from onecard.store.database import Connection, as_records, fetch_all, one_scalar, scalar
from onecard.store.disclosures import QUESTIONS
from onecard.store.together import Sent, send


@dataclass(frozen=True, slots=True)
class Group:
    """Calls that one commit has recorded.

    Attributes:
        month: whose table they stand in.
        size: how many they are.
        statement: what is signed: the root of the tree of their receipts, their number, the time.
        suite: of the signature.
        key_epoch: of the key that signed.
    """

    month: date
    size: int
    statement: str
    suite: str
    key_epoch: str
    signature: bytes


@dataclass(frozen=True, slots=True)
class Asked:
    """One call, as it is kept.

    Attributes:
        request_mac: keyed digest of the request.
        key_epoch: of the consumer's key under which it and `person` stand.
        person: keyed reference, 8 bytes.
        found: something was said of the person.
        receipt: canonical JSON, a leaf of the group's tree.
    """

    at: datetime
    agreement: str
    caller: str
    operator: str
    case_no: str
    request_id: str
    request_mac: bytes = field(repr=False)
    key_epoch: str
    person: bytes = field(repr=False)
    found: bool
    receipt: str


@dataclass(frozen=True, slots=True)
class Known:
    """A request that was recorded before.

    Attributes:
        place: of its receipt in its group, from 0.
    """

    caller: str
    request_id: str
    at: datetime
    month: date
    group_id: int
    place: int
    request_mac: bytes = field(repr=False)
    key_epoch: str
    receipt: str


def ask_known(connection: Connection, requests: Sequence[tuple[str, str]]) -> Sent[Known]:
    """Ask which of some requests were recorded before.

    Args:
        connection: of the hub's database.
        requests: callers and their request ids.
    """
    return send(
        connection,
        Known,
        "SELECT q.caller, q.request_id, q.at, q.month, q.group_id, q.place, q.request_mac,"
        " q.key_epoch, q.receipt FROM json_to_recordset(%s::json)"
        " AS r(caller text, request_id text) JOIN ledger.question q USING (caller, request_id)",
        (as_records(("caller", "request_id"), requests),),
    )


@dataclass(frozen=True, slots=True)
class _Number:
    number: int


@dataclass(frozen=True, slots=True)
class AskedNumber:
    """A number for a new group was asked for (`ask_number`); read it when the answers are there."""

    _found: Sent[_Number]

    def taken(self) -> int:
        """The number, to be read once.

        Raises:
            InternalError: the database gave none.
        """
        found = self._found.first()
        if found is None:
            msg = "the hub's database gave a group of calls no number"
            raise InternalError(msg)
        return found.number


def ask_number(connection: Connection) -> AskedNumber:
    """Ask for the number of a group that may be written; one that is not used is left out.

    Args:
        connection: in the transaction that writes the group; it holds the end of the audit log, so
            that groups are numbered as their entries are.
    """
    found = send(
        connection,
        _Number,
        "SELECT nextval(pg_get_serial_sequence('ledger.question_group', 'id')) AS number",
    )
    return AskedNumber(found)


def add_group(connection: Connection, number: int, group: Group) -> None:
    """Write a group; its calls are written by `record`.

    Args:
        connection: in the transaction that has asked for the number.
        number: the group's.
        group: that is new.
    """
    connection.execute(
        "INSERT INTO ledger.question_group (id, month, size, statement, suite, key_epoch,"
        " signature) OVERRIDING SYSTEM VALUE VALUES (%s, %s, %s, %s, %s, %s, %s)",
        (
            number,
            group.month,
            group.size,
            group.statement,
            group.suite,
            group.key_epoch,
            group.signature,
        ),
    )


_COLUMNS = (
    *("place", "at", "agreement", "caller", "operator", "case_no", "request_id", "request_mac"),
    *("key_epoch", "person", "found", "receipt"),
)


def record(connection: Connection, number: int, month: date, asked: Sequence[Asked]) -> None:
    """Write the calls of a group.

    Args:
        connection: in the transaction that writes the group.
        number: the group's.
        month: the group's.
        asked: the calls, in the order of their receipts in the tree.
    """
    lines = [
        (
            place,
            a.at,
            a.agreement,
            a.caller,
            a.operator,
            a.case_no,
            a.request_id,
            a.request_mac,
            a.key_epoch,
            a.person,
            a.found,
            a.receipt,
        )
        for place, a in enumerate(asked)
    ]
    connection.execute(
        "INSERT INTO ledger.question (month, group_id, place, at, agreement, caller, operator,"
        " case_no, request_id, request_mac, key_epoch, person, found, receipt)"
        " SELECT %s, %s, * FROM json_to_recordset(%s::json) AS r(place int, at timestamptz,"
        " agreement text, caller text, operator text, case_no text, request_id text,"
        " request_mac bytea, key_epoch text, person bytea, found bool, receipt text)",
        (month, number, as_records(_COLUMNS, lines)),
    )


@dataclass(frozen=True, slots=True)
class _Numbered(Group):
    """A group with its id."""

    id: int


def groups(connection: Connection, after: int, last: int | None) -> dict[int, Group]:
    """Groups by their ids.

    Args:
        connection: of the hub's database.
        after: only later ones.
        last: up to this one; None: all.
    """
    found = fetch_all(
        connection,
        _Numbered,
        "SELECT month, size, statement, suite, key_epoch, signature, id FROM ledger.question_group"
        " WHERE id > %s AND (id <= %s OR %s) ORDER BY id",
        (after, last, last is None),
    )
    return {line.id: line for line in found}


@dataclass(frozen=True, slots=True)
class _Line(Asked):
    """A call with its group's id."""

    group_id: int


def lines(connection: Connection, there: Mapping[int, Group]) -> dict[int, list[Asked]]:
    """The calls of groups, each group's in their order.

    Args:
        connection: of the hub's database.
        there: the groups, by their ids.
    """
    found = fetch_all(
        connection,
        _Line,
        "SELECT at, agreement, caller, operator, case_no, request_id, request_mac, key_epoch,"
        " person, found, receipt, group_id FROM ledger.question WHERE month = ANY(%s)"
        " AND group_id = ANY(%s) ORDER BY group_id, place",
        (list({g.month for g in there.values()}), list(there)),
    )
    by_group: dict[int, list[Asked]] = defaultdict(list)
    for line in found:
        by_group[line.group_id].append(line)
    return by_group


def stray(connection: Connection) -> int | None:
    """The group that some call names and that is not there, nor in the call's month; None: none."""
    return scalar(
        connection,
        int,
        "SELECT q.group_id FROM ledger.question q WHERE NOT EXISTS (SELECT FROM"
        " ledger.question_group g WHERE g.id = q.group_id AND g.month = q.month) LIMIT 1",
    )


@dataclass(frozen=True, slots=True)
class AskedFor:
    """A call about a person, for the person.

    Attributes:
        delayed_until: residents are told of it from this day on; None: at once.
    """

    at: datetime
    agreement: str
    caller: str
    found: bool
    receipt: str
    delayed_until: date | None


def of_person(
    connection: Connection, consumer_agreements: Sequence[str], references: Sequence[bytes]
) -> list[AskedFor]:
    """Calls under these agreements about a person, oldest first.

    Args:
        connection: of the hub's database.
        consumer_agreements: ids of one consumer's agreements.
        references: of the person, under each key epoch of that consumer.
    """
    return fetch_all(
        connection,
        AskedFor,
        "SELECT q.at, q.agreement, q.caller, q.found, q.receipt, (SELECT max(d.until)"
        " FROM ledger.disclosure_delay d WHERE d.agreement = q.agreement"
        " AND d.case_no = q.case_no) AS delayed_until"
        " FROM ledger.question q WHERE q.person = ANY(%s) AND q.agreement = ANY(%s)"
        " ORDER BY q.at",
        (list(references), list(consumer_agreements)),
    )


def make_month(connection: Connection, month: date) -> None:
    """Make the table of a month, if it is not there."""
    months.make(connection, QUESTIONS, month)


def last_before(connection: Connection, oldest: date) -> int:
    """Id of the newest group of the months before one; 0: there is none.

    Args:
        connection: of the hub's database.
        oldest: first day of the oldest month that stays.
    """
    return one_scalar(
        connection,
        int,
        "SELECT coalesce(max(id), 0) FROM ledger.question_group WHERE month < %s",
        (oldest,),
    )
