"""Lines of a file that are no rows: they are left out, counted, and remarked on."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Skipped:
    """What was left out of one file, and what else a person should know of it.

    Attributes:
        blank: lines of nothing, of blanks, or of delimiters alone, as spreadsheets leave them.
        headers: repeated header rows, where the contract says to skip them.
        titles: lines above the header.
        deleted: rows that a DBF keeps, marked as deleted.
        hidden: rows that a sheet does not show; they were read.
        beside: elements of XML that stand beside the rows and have another name.
        unread: sheets that are hidden, and members of an archive that no pattern names.
        of_macos: what macOS puts into an archive beside its files (`__MACOSX/`, `.DS_Store`).
    """

    blank: int = 0
    headers: int = 0
    titles: int = 0
    deleted: int = 0
    hidden: int = 0
    beside: int = 0
    unread: int = 0
    of_macos: int = 0

    def remarks(self, origin: str) -> tuple[str, ...]:
        """A sentence for each kind.

        Args:
            origin: name of the file, as it may be shown.
        """
        counts = (
            (self.blank, "blank line(s) skipped"),
            (self.headers, "repeated header row(s) skipped"),
            (self.titles, "line(s) above the header skipped"),
            (self.deleted, "row(s) marked as deleted skipped"),
            (self.hidden, "hidden row(s) read like the others"),
            (self.beside, "element(s) of another name beside the rows not read"),
            (self.unread, "hidden sheet(s) or other file(s) in it not read"),
            (self.of_macos, "file(s) that macOS has put into it not read"),
        )
        return tuple(f"{origin}: {count} {what}" for count, what in counts if count)
