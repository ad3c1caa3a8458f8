"""Options of file sources and file inboxes."""

from __future__ import annotations

import fnmatch
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from connectors.common.strict_json import at
from connectors.files.layouts import Dbf, Encoding, Excel, FixedWidth, Titled, Xml, codec
from connectors.files.sheets import COPY
from onecard.base.frozen import Frozen

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
        return codec(self.encoding)

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


class CsvSource(Csv, Titled):
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

    def path(self, name: str) -> str:
        """Name of the manifest of a file.

        Args:
            name: of the file, or its path.
        """
        return name + self.suffix


class SourceManifest(Manifest):
    """The same beside a file that is read.

    Attributes:
        content: `json`, or `none`: that the file is there says all, as `.ok` files do; whatever
            stands in it is not read.
        instead: whether its suffix takes the place of the data file's: `list.ok` for `list.csv`.
    """

    content: Literal["json", "none"] = "json"
    instead: bool = False

    def path(self, name: str) -> str:
        """Name of the manifest of a file."""
        folder, slash, last = name.rpartition("/")
        stem = last.rpartition(".")[0] if self.instead else last
        return f"{folder}{slash}{stem or last}{self.suffix}"

    @model_validator(mode="after")
    def _nothing_is_promised(self) -> SourceManifest:
        if self.content == "none" and self.time:
            msg = "files.manifest: with `content: none` nothing tells a time"
            raise ValueError(msg)
        return self


PlainFormat = Annotated[
    CsvSource | JsonLines | JsonDocument | ParquetSource | Excel | Dbf | Xml | FixedWidth,
    Field(discriminator="kind"),
]


class Zip(Frozen):
    """A ZIP archive of files of one format; folders in it do not count, archives in it are refused.

    Attributes:
        members: pattern of the names of its files that are read, without their folders; at least
            one must be there.
        of: their format.
    """

    kind: Literal["zip"]
    members: str = "*"
    of: PlainFormat


Format = Annotated[
    CsvSource | JsonLines | JsonDocument | ParquetSource | Excel | Dbf | Xml | FixedWidth | Zip,
    Field(discriminator="kind"),
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
    """Options of a folder that is read; only new or changed files are taken.

    Attributes:
        max_bytes: of one file; of an archive or a workbook also what it unpacks to.
    """

    pattern: str
    format: Format
    manifest: SourceManifest | None = None
    max_bytes: int = Field(default=4 * 1024**3, gt=0)

    def names(self, name: str) -> bool:
        """Whether the pattern names a file that holds rows: no manifest, no copy of a check."""
        note = self.manifest is not None and name.endswith(self.manifest.suffix)
        return fnmatch.fnmatchcase(name, self.pattern) and not note and not self.is_copy(name)

    def is_copy(self, name: str) -> bool:
        """Whether the pattern names a file that `onecard check` has written for its office."""
        return name.endswith(COPY) and fnmatch.fnmatchcase(name, self.pattern)


class FilesSink(_Placed):
    """Options of an inbox folder."""

    format: SinkFormat
    manifest: Manifest = Manifest()

    def path(self, agreement: str, delivery: str, *, sealed: bool = False) -> str:
        """Where a delivery's file lies.

        Args:
            agreement: its id.
            delivery: id of the delivery.
            sealed: its name tells that nobody but the consumer can read it.
        """
        return f"{self.directory}/{agreement}/{delivery}.{self._ending(sealed=sealed)}"

    def deletes_path(self, agreement: str, delivery: str, *, sealed: bool = False) -> str:
        """Where the keys of its deleted rows lie, if it has any.

        Args:
            agreement: its id.
            delivery: id of the delivery.
            sealed: as for `path`.
        """
        return f"{self.directory}/{agreement}/{delivery}.deletes.{self._ending(sealed=sealed)}"

    def _ending(self, *, sealed: bool) -> str:
        return f"{self.format.kind}.sealed" if sealed else self.format.kind
