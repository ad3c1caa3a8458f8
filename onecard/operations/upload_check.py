"""The check of a file that comes as a stream: a report and an annotated copy, and nothing stays.

For faces that take files from offices. The file lies on the disk without a name while it is looked
at, and is gone with this process, however that ends.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import BinaryIO

from connectors.files.folder import private_file
from onecard.base.settings import Settings
from onecard.base.shown import file_name
from onecard.errors import UsageError
from onecard.operations import annotated_copy, check_reading, file_check
from onecard.operations.check_reading import GivenFile
from onecard.operations.file_check import FileCheck
from schemas.models.contract import Contract

MOST_BYTES = 256 * 1024**2
"""Bytes of an upload where nothing else is said, and what it may unpack to: some million rows."""
PIECE = 1 << 20
"""Bytes that are copied at once."""


@dataclass(frozen=True, slots=True)
class UploadedFile:
    """A file as it comes.

    Attributes:
        name: as its office calls it: it tells the kind of the file and is never taken for a path.
        stream: its bytes.
        most: bytes that it may have, and that it may unpack to.
    """

    name: str
    stream: BinaryIO
    most: int = MOST_BYTES


def check_upload(
    settings: Settings, contract: Contract, upload: UploadedFile, target: BinaryIO | None
) -> FileCheck:
    """Check a file as `onecard check` does; where rows are rejected, write the annotated copy.

    Args:
        settings: profile and clock of the hub.
        contract: of the dataset.
        upload: the file.
        target: gets the bytes of the copy (XLSX); None: there is none. With no row rejected it
            gets nothing.

    Raises:
        UsageError: more bytes than may be, or as `check_reading.to_read`.
        SchemaMismatch, ProtocolError: as `check_file`.
        StorageError: there is no room for the file while it is looked at.
    """
    with private_file() as path:
        left = upload.most
        with path.open("wb") as copy:
            while piece := upload.stream.read(PIECE):
                left -= len(piece)
                if left < 0:
                    msg = f"{file_name(upload.name)}: more than {upload.most} bytes"
                    raise UsageError(msg)
                copy.write(piece)
        given = GivenFile(path, upload.name, upload.most)
        file = check_reading.to_read(contract, given, {})
        found = file_check.checked(settings, contract, file)
        if found.rejected and target is not None:
            annotated_copy.write(contract, file, found, target)
        return found
