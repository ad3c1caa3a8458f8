"""Options of file sources and file inboxes."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from onecard.base.frozen import Frozen

Encoding = Literal["utf-8", "gb18030"]


class Csv(Frozen):
    """Comma-separated text with a header row; an empty unquoted cell is NULL."""

    kind: Literal["csv"]
    encoding: Encoding = "utf-8"
    delimiter: str = Field(default=",", min_length=1, max_length=1)


class JsonLines(Frozen):
    """One JSON object a line, UTF-8."""

    kind: Literal["jsonl"]


class JsonDocument(Frozen):
    """One JSON document; `records` is the dotted path of the list of rows."""

    kind: Literal["json"]
    records: str


class Parquet(Frozen):
    """Apache Parquet."""

    kind: Literal["parquet"]


class Manifest(Frozen):
    """The file beside a data file that says it is complete: `<name><suffix>`, JSON.

    Attributes:
        rows: key of the number of rows.
        digest: key of the SHA-256 of the file, hexadecimal.
    """

    suffix: str = ".manifest.json"
    rows: str = "rows"
    digest: str = "sha256"


Format = Annotated[Csv | JsonLines | JsonDocument | Parquet, Field(discriminator="kind")]
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
