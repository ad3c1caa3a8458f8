"""The SQL of the gate's control columns (`onecard.model.gate_inputs`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import LiteralString

from psycopg import sql

from onecard.base.sql_text import query
from onecard.model import gate_inputs
from onecard.model.gate_inputs import GateInputs
from schemas.models.agreement import Agreement
from schemas.models.contract import Contract
from schemas.models.registers import People

CANCELLED: LiteralString = "card_status = '9' AND _deleted_at IS NULL"
"""Cards that are cancelled: few, so they have an index of their own."""

PathSql = Callable[[str], sql.Composed]
"""SQL of a path of the agreement: a column of its dataset or of a join."""


@dataclass(frozen=True)
class GateInputSql:
    """Compiles the control columns of one agreement."""

    agreement: Agreement
    contracts: Mapping[str, Contract]
    people: People
    path: PathSql

    def all(self, exists: list[sql.Composed], *, keyed: bool = False) -> dict[str, sql.Composed]:
        """Every control column that the agreement needs, by its name.

        Args:
            exists: the scope's semi-joins as subqueries, in its order.
            keyed: with the dataset's key, whether or not the gate needs it.
        """
        found = {gate_inputs.SUBJECT: self._subject}
        for index, condition in enumerate(self.agreement.scope.filters):
            if condition.min_age is None:
                found[gate_inputs.filter_name(index)] = self._text(condition.field)
        for index, inner in enumerate(exists):
            found[gate_inputs.exists_name(index)] = query("EXISTS ({e})", e=inner)
        if self.agreement.consent:
            found[gate_inputs.CONSENT] = self._consent("consent_id")
            found[gate_inputs.CONSENT_KIND] = self._consent("consent_kind")
        needs = GateInputs(self.agreement, self.contracts)
        if needs.financial:
            found[gate_inputs.ACTIVE] = self._in(self.people.cards, "p.fin_status = '2'")
        if self.agreement.after_death == "stop":
            found[gate_inputs.ENDED] = self._ended()
        if keyed or needs.scanned:
            found[gate_inputs.KEY] = self.key
        return found

    def _text(self, path: str) -> sql.Composed:
        """A column as text; of text the column itself."""
        found = self.path(path)
        kind = GateInputs(self.agreement, self.contracts).field(path).type
        return found if kind == "string" else query("{p}::text", p=found)

    @property
    def _subject(self) -> sql.Composed:
        return self.path(str(self.agreement.subject))

    def _in(self, dataset: str, more: LiteralString = "true") -> sql.Composed:
        """Whether the person has a row in a dataset."""
        return query(
            "EXISTS (SELECT FROM {t} p WHERE p.person_id18 = {s} AND p._deleted_at IS NULL"
            " AND " + more + ")",
            t=sql.Identifier("registry", self.contracts[dataset].table),
            s=self._subject,
        )

    def _ended(self) -> sql.Composed:
        """Whether the person has ended."""
        # One union: for many rows PostgreSQL hashes these persons once and asks once a row; for
        # few rows it looks each person up in both.
        return query(
            "EXISTS (SELECT FROM ({ended}) p WHERE p.person_id18 = {s})",
            ended=self.ended_persons,
            s=self._subject,
        )

    @property
    def ended_persons(self) -> sql.Composed:
        """Who died, or holds cards and all of them are cancelled; someone may stand there twice."""
        # LIMIT keeps it to one look-up by index for each cancelled card, of which there are few:
        # left to itself, PostgreSQL reads all cards a second time.
        return query(
            "SELECT d.person_id18 FROM {deaths} d WHERE d._deleted_at IS NULL"
            " UNION ALL SELECT c.person_id18 FROM {cards} c LEFT JOIN LATERAL"
            " (SELECT true AS found FROM {cards} l WHERE l.person_id18 = c.person_id18"
            " AND l._deleted_at IS NULL AND l.card_status <> '9' LIMIT 1) other ON true"
            " WHERE c.card_status = '9' AND c._deleted_at IS NULL AND other.found IS NULL",
            deaths=sql.Identifier("registry", self.contracts[self.people.deaths].table),
            cards=sql.Identifier("registry", self.contracts[self.people.cards].table),
        )

    def _consent(self, column: str) -> sql.Composed:
        found = consent(self.agreement, self.contracts, self.path, column)
        return query("({e})", e=found)

    @property
    def key(self) -> sql.Composed:
        """The dataset's key of a row as one text."""
        key = [self.path(k) for k in self.contracts[self.agreement.dataset].key]
        return query("jsonb_build_array({k})::text", k=sql.SQL(", ").join(key))


def consent(
    agreement: Agreement, contracts: Mapping[str, Contract], path: PathSql, column: str
) -> sql.Composed:
    """A subquery: a column of the person's consent to this agreement; NULL where it is withdrawn.

    The newest record decides: an older one, not withdrawn, does not bring back what the person took
    back since (PIPL article 15). Of two given at one moment, one that is withdrawn decides; of
    others the one with the higher id.

    Args:
        agreement: with a consent block.
        contracts: of what it reads.
        path: SQL of a path.
        column: of the consents' dataset.
    """
    assert agreement.consent is not None  # noqa: S101 - only called with consent
    return query(
        "SELECT CASE WHEN n.withdrawn_at IS NULL THEN n.found END FROM (SELECT c.withdrawn_at,"
        " c.{c} AS found FROM {t} c WHERE c.person_id18 = {s} AND c.agreement = {a}"
        " AND c._deleted_at IS NULL ORDER BY c.given_at DESC NULLS LAST,"
        " (c.withdrawn_at IS NOT NULL) DESC, c.consent_id DESC LIMIT 1) n",
        c=sql.Identifier(column),
        t=sql.Identifier("registry", contracts[agreement.consent.dataset].table),
        s=path(str(agreement.subject)),
        a=sql.Literal(agreement.id),
    )
