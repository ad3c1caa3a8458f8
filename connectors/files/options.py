"""Options of file sources and file inboxes."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from connectors.common.strict_json import at
from connectors.files import gb18030
from onecard.base.frozen import Frozen

Encoding = Literal["utf-8", "gb18030"]
_NOTHING = b" \t\v\f\r\n\x1a"
"""What is not seen on a line; CTRL-Z is where old systems end a text."""


class Csv(Frozen):
    """Comma-separated text with a header row; an empty unquoted cell is NULL."""

    kind: Literal["csv"]
    encoding: Encoding = "utf-8"
    delimiter: str = Field(default=",", min_length=1, max_length=1)

    @field_validator("delimiter")
    @classmethod
    def _separates(cls, value: str) -> str:
        if value in '"\r\n' or value.isalnum():
            msg = "files.delimiter: a quote, a line end, a letter or a digit separates no cells"
            raise ValueError(msg)
        return value

    @property
    def codec(self) -> str:
        """Python's name of the encoding: GB 18030 in its edition of 2022."""
        return gb18030.NAME if self.encoding == "gb18030" else self.encoding

    @property
    def skips_headers(self) -> bool:
        """Whether a repeated header row is left out, not rejected."""
        return False

    def is_blank(self, line: bytes) -> bool:
        """Whether a line (as in the file) holds nothing but blanks and delimiters."""
        return not line.strip(self.blanks)

    @property
    def blanks(self) -> bytes:
        """Bytes that a blank line may hold."""
        return _NOTHING + (self.delimiter.encode() if self.delimiter.isascii() else b"")


class CsvSource(Csv):
    """The same as it is read.

    Attributes:
        repeated_header: what becomes of a header row among the rows, as files have it that were
            put together: `reject` it like a damaged record, or `skip` it.
    """

    repeated_header: Literal["reject", "skip"] = "reject"

    @property
    def skips_headers(self) -> bool:
        """Whether a repeated header row is left out, not rejected."""
        return self.repeated_header == "skip"


class JsonLines(Frozen):
    """One JSON object a line, UTF-8."""

    kind: Literal["jsonl"]


class JsonDocument(Frozen):
    """One JSON document.

    Attributes:
        records: dotted path of the list of rows; `$` where the document is that list itself.
    """

    kind: Literal["json"]
    records: str

    def rows_of(self, document: object) -> object:
        """What stands where the rows should be."""
        return document if self.records == "$" else at(document, self.records)


class Parquet(Frozen):
    """Apache Parquet."""

    kind: Literal["parquet"]


class ParquetSource(Parquet):
    """Apache Parquet that is read.

    Attributes:
        timezone: zone of times that a file stores without one: INT96 and times that are not
            adjusted to UTC. Spark and Hive write UTC, Impala local time. Without it such a column
            is refused.
    """

    timezone: Literal["Asia/Shanghai", "+08:00", "UTC"] | None = None


class Manifest(Frozen):
    """The file beside a data file that says it is complete: `<name><suffix>`, JSON.

    Attributes:
        rows: key of the number of rows.
        digest: key of the SHA-256 of the file, hexadecimal.
        time: key of the moment of which the file tells (ISO 8601; without a zone it is Beijing
            time); by it files follow each other where the contract says `order: manifest_time`.
    """

    suffix: str = ".manifest.json"
    rows: str = "rows"
    digest: str = "sha256"
    time: str | None = None


Format = Annotated[
    CsvSource | JsonLines | JsonDocument | ParquetSource, Field(discriminator="kind")
]
SinkFormat = Annotated[Csv | Parquet, Field(discriminator="kind")]


class _Placed(Frozen):
    directory: str

    @field_validator("directory")
    @classmethod
    def _inside(cls, value: str) -> str:
        if value.startswith("/") or ".." in value.split("/"):
            msg = "files.directory: must lie below the connection's own folder"
            raise ValueError(msg)
        return value


class FilesSource(_Placed):
    """Options of a folder that is read; only new or changed files are taken."""

    pattern: str
    format: Format
    manifest: Manifest | None = None
    max_bytes: int = Field(default=4 * 1024**3, gt=0)


class FilesSink(_Placed):
    """Options of an inbox folder."""

    format: SinkFormat
    manifest: Manifest = Manifest()

    def path(self, agreement: str, delivery: str) -> str:
        """Where a delivery's file lies."""
        return f"{self.directory}/{agreement}/{delivery}.{self.format.kind}"

    def deletes_path(self, agreement: str, delivery: str) -> str:
        """Where the keys of its deleted rows lie, if it has any."""
        return f"{self.directory}/{agreement}/{delivery}.deletes.{self.format.kind}"
