"""A workbook's archive with some parts changed and some new ones; of all others no byte changes."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from itertools import count
from mmap import ACCESS_READ, mmap
from typing import BinaryIO

from connectors.common.xml_stream import Refused
from connectors.files import unzip
from connectors.files.folder import private_file
from connectors.files.xlsx_book import Workbook
from connectors.files.xlsx_names import MAIN, RELATED
from connectors.files.xml_outline import Data, Edit, Outline, edited, outline

_TYPES = "[Content_Types].xml"
_END = b"</Relationships>"
_NOTHING_RELATED = (
    b'<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">' + _END
)


def own(shape: Outline, new: bytes, name: bytes) -> bytes:
    """Elements in the namespace of a part's root, whatever prefix the part has for it.

    Args:
        shape: of the part.
        new: the elements, all without a prefix.
        name: of the outermost ones.
    """
    declared = b'<%s xmlns="%s"' % (name, shape.root.uri.encode())
    return re.sub(b"<" + name + rb"(?=[\s/>])", declared, new)


class Package:
    """Takes down what changes, then writes all.

    Attributes:
        names: of the parts that there are.
        folder: of the new parts: no earlier one has it.
        namespace: of the workbook's elements, transitional or strict.
        related: of the relations between its parts, likewise.
    """

    def __init__(self, book: Workbook, uri: str) -> None:
        which = MAIN.index(uri) if uri in MAIN else 0
        self.namespace, self.related = MAIN[which], RELATED[which]
        self.names = set(book.archive.namelist())
        used = {name.split("/")[1] for name in self.names if name.startswith("xl/")}
        own_one = next(f"onecard{n}" for n in count(1) if f"onecard{n}" not in used)
        self.folder = f"xl/{own_one}"
        self._key = own_one
        self._book = book
        self._whole: dict[str, bytes] = {}
        self._edits: dict[str, list[Edit]] = {}

    def content(self, part: str) -> bytes:
        """A part that describes the workbook or another part; raises ProtocolError."""
        return self._book.whole(part)

    def change(self, part: str, edit: Edit) -> None:
        """A part is changed in one place.

        Args:
            part: its name.
            edit: what changes.
        """
        self._edits.setdefault(part, []).append(edit)

    def put(self, part: str, whole: bytes) -> None:
        """A part is new, or other than it was.

        Args:
            part: its name.
            whole: all of it.
        """
        self._whole[part] = whole

    def relate(self, listed: str, kind: str, part: str) -> str:
        """Name a new part in a list of parts, which is made where there is none; gives its id.

        Args:
            listed: name of the list.
            kind: of the relation.
            part: that is named.
        """
        key = f"{self._key}{kind}"
        new = f'<Relationship Id="{key}" Type="{self.related}/{kind}" Target="/{part}"/>'.encode()
        if listed in self.names:
            self._append(listed, new, b"Relationship")
        else:
            before = self._whole.get(listed, _NOTHING_RELATED)
            self._whole[listed] = before.replace(_END, new + _END)
        return key

    def declare(self, part: str, kind: str) -> None:
        """Say what a new part is.

        Args:
            part: its name.
            kind: its content type.
        """
        new = f'<Override PartName="/{part}" ContentType="{kind}"/>'.encode()
        self._append(_TYPES, new, b"Override")

    def declare_ending(self, ending: str, kind: str) -> None:
        """Say what parts of an ending are, unless that is said already.

        Args:
            ending: without a dot.
            kind: their content type.
        """
        defaults = outline(self.content(_TYPES)).children
        if not any(c.attributes.get("Extension", "").lower() == ending for c in defaults):
            new = f'<Default Extension="{ending}" ContentType="{kind}"/>'.encode()
            self._append(_TYPES, new, b"Default")

    def _append(self, part: str, new: bytes, name: bytes) -> None:
        """Something at the end of a part's root."""
        shape = outline(self.content(part))
        place = shape.root.last
        self.change(part, (place, place, own(shape, new, name)))

    @contextmanager
    def unpacked(self, part: str) -> Iterator[mmap]:
        """A large part on the disk, where its bytes can be looked up.

        Raises:
            Refused: there is nothing in it.
        """
        with private_file() as path:
            with path.open("wb") as stream:
                for piece in self._book.pieces(part):
                    stream.write(piece)
                if not stream.tell():
                    msg = "a part of it holds nothing"
                    raise Refused(msg)
            with path.open("rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as data:
                yield data

    def pack(self, target: BinaryIO, large: Mapping[str, Data]) -> None:
        """Write all parts; what they unpack to is counted.

        Args:
            target: gets the bytes.
            large: parts that are unpacked already.

        Raises:
            ProtocolError: the archive is not whole, or unpacks to more than may be.
        """
        book, left = self._book, self._book.limit
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
            for member in book.archive.infolist():
                name = member.filename
                if member.is_dir() or name in self._whole:
                    continue
                edits, data = self._edits.get(name, []), large.get(name)
                if data is None and edits:
                    data = self.content(name)
                with archive.open(name, "w", force_zip64=True) as stream:
                    if data is not None:
                        stream.writelines(edited(data, edits))
                        continue
                    with closing(unzip.pieces(book.archive, member, book.origin, left)) as pieces:
                        for piece in pieces:
                            stream.write(piece)
                            left -= len(piece)
            for name, whole in self._whole.items():
                archive.writestr(name, whole)
