"""`onecard discover`: a contract proposed from its source, which no person has looked at yet."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from connectors.inspect.sample import sampled
from onecard.base import files
from onecard.base.times import shown
from onecard.errors import SchemaMismatch, UsageError
from onecard.model.discovered import SampledSource
from onecard.operations import linting
from onecard.operations.contract_draft import DraftSource, declared_nulls, plain_title, text_of
from onecard.ports.desk import Desk
from quality.samples.field_names import legal
from quality.samples.guess import ColumnGuess, SourceGuess
from quality.samples.known_words import KnownWords
from quality.samples.meanings import Judges
from quality.samples.profile import profile
from schemas.models import odcs
from schemas.models.contract import Contract
from schemas.models.strict_yaml import parse


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be proposed.

    Attributes:
        connection: id of the connection.
        target: table, file or path.
        dataset: id of the dataset; empty: made of the connection's and the target's names.
        options: of the contract's `source.options`, where the source cannot tell them.
    """

    connection: str
    target: str
    dataset: str = ""
    options: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Proposal:
    """A proposed contract.

    Attributes:
        text: of its file.
        contract: as the hub reads it.
        guess: what it was made of; no value of a row stands in it.
        origin: table, file or path.
        rows: that were looked at.
        remarks: what a person should look at.
    """

    text: str
    contract: Contract
    guess: SourceGuess
    origin: str
    rows: int
    remarks: tuple[str, ...]

    @property
    def file(self) -> Path:
        """Where it stands below the folder of schemas."""
        return file_of(self.contract.id)

    def as_json(self) -> dict[str, Any]:
        """For programs: names and numbers."""
        fields = [
            {
                "name": g.field.name,
                "native": g.field.native,
                "type": g.field.type,
                "semantic": g.field.semantic,
                "required": g.field.required,
                "codes": list(g.field.codes),
                "by": g.by,
                "seen": g.seen,
                "empty": g.empty,
                "different": g.distinct,
            }
            for g in self.guess.columns
        ]
        return {
            "dataset": self.contract.id,
            "origin": self.origin,
            "rows": self.rows,
            "key": list(self.guess.key),
            "key_by": self.guess.key_by,
            "fields": fields,
            "remarks": list(self.remarks),
        }


def file_of(dataset: str) -> Path:
    """The place of a dataset's contract below the folder of schemas.

    Args:
        dataset: its id.
    """
    return Path("contracts") / f"{dataset}.odcs.yaml"


def propose(
    desk: Desk, wish: Wish, *, agency: str = "", known: Iterable[Contract] | None = None
) -> Proposal:
    """Look at a source and propose its contract.

    Args:
        desk: connections, clock and catalogue.
        wish: what is looked at.
        agency: that provides it; empty: the one whose name the connection's begins with.
        known: contracts whose words count; None: all of the catalogue but the dataset's own.

    Raises:
        SchemaMismatch: what stands in a file's header's place may be a row, or no column is taken.
        OnecardError: as the connector raises it.
    """
    sample = sampled(desk.connections.get(wish.connection), wish.target, wish.options or {})
    dataset = wish.dataset or _dataset(desk, wish, sample, agency)
    others = [c for c in desk.catalogue.contracts.values() if c.id != dataset]
    judges = Judges(int(shown(desk.settings.now(), "%Y%m%d")), demo=desk.settings.profile == "demo")
    guess = profile(sample, KnownWords(others if known is None else known), judges)
    if not guess.columns:
        msg = f"{sample.origin}: none of its columns can be taken"
        raise SchemaMismatch(msg)
    _check_header(sample, guess)
    source = DraftSource(
        dataset=dataset,
        title=plain_title(sample.title) or dataset.split("/")[1],
        physical=sample.name if sample.connector != "rest" else sample.origin,
        connector=sample.connector,
        connection=wish.connection,
        options=sample.options,
        order=_order(sample, guess),
    )
    remarks = tuple(_remarks(sample, guess))
    text = text_of(source, guess, remarks)
    contract = odcs.load(Path(file_of(dataset).name), text).contract
    return Proposal(text, contract, guess, sample.origin, len(sample.rows), remarks)


def write(proposal: Proposal, root: Path | None = None) -> Path:
    """Write the proposed contract; returns its file.

    Args:
        proposal: the contract.
        root: folder of schemas; None: the one in force.

    Raises:
        UsageError: the dataset has a contract; it is never overwritten.
    """
    target = (root or linting.folder_in_force()) / proposal.file
    if target.exists():
        msg = f"{target} is there, and is not overwritten: take another name by --as"
        raise UsageError(msg)
    return files.write(target, proposal.text)


def options_of(text: str) -> dict[str, Any]:
    """Options of a source as somebody writes them: YAML, or `@` and the name of a file of it.

    Args:
        text: of the option; empty: none.

    Raises:
        InvalidFile: no strict YAML, or no mapping.
    """
    if not text.strip():
        return {}
    if text.startswith("@"):
        return parse(Path(text[1:])).data
    return parse(Path("--options"), text).data


def _dataset(desk: Desk, wish: Wish, sample: SampledSource, agency: str) -> str:
    """The agency whose name the connection's begins with, and the table's name."""
    known = [a for a in desk.catalogue.agencies if wish.connection.startswith(f"{a}_")]
    whose = agency or max(known, key=len, default=wish.connection.partition("_")[0])
    return f"{whose}/{legal(sample.name) or 'dataset'}"


def _check_header(sample: SampledSource, guess: SourceGuess) -> None:
    if sample.connector != "files":
        return
    if not all(g.headed for g in guess.columns):
        msg = (
            f"{sample.origin}: what stands in the header's place may be a row; nothing of it is"
            " shown. A file needs a header row"
        )
        raise SchemaMismatch(msg)


def _order(sample: SampledSource, guess: SourceGuess) -> str | None:
    """What decides between two rows of a key, where no field does."""
    if guess.cursor or guess.sequence:
        return None
    return "file_name" if sample.in_order else "unique"


def _remarks(sample: SampledSource, guess: SourceGuess) -> Iterator[str]:
    """What a person should look at first; names and numbers."""
    rows = f"{len(sample.rows):,} row(s)"
    yield f"{sample.origin}: {rows} looked at" + (", which is all" if sample.whole else "")
    if guess.key_by == "sample":
        yield f"the key is a guess: {', '.join(guess.key)} told nearly all of these rows apart"
    elif guess.key_by == "nothing":
        yield "the key is unknown: nothing tells these rows apart; the first field stands for it"
    if _order(sample, guess) == "unique":
        yield "order: unique says that the source holds each key once; say another order if not"
    yield from sample.remarks
    for name, why in guess.refused:
        yield f"left out: {name} is {why}"
    for name in guess.marks:
        yield f"{name} looks like a mark of deletion: rows may be void that are still there"
    yield from (line for g in guess.columns for line in _of_column(sample, g))


def _of_column(sample: SampledSource, guess: ColumnGuess) -> Iterator[str]:
    name = guess.field.name
    if guess.blanks:
        todo = "trim it in a view" if sample.connector == "sql" else "say `text: {trim: true}`"
        yield f"{name}: {guess.blanks:,} value(s) with blanks around them: {todo}, or mend them"
    if guess.null_words and not declared_nulls(guess):
        words = ", ".join(guess.null_words)
        yield f"{name}: words for NULL stand there as text: {words}"
    if guess.by == "name":
        yield f"{name}: no value was seen; its type and meaning are open"
