"""Lines of a file that are no rows: they are left out, counted, and remarked on."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Skipped:
    """What was left out of one file.

    Attributes:
        blank: lines of nothing, of blanks, or of delimiters alone, as spreadsheets leave them.
        headers: repeated header rows, where the contract says to skip them.
    """

    blank: int = 0
    headers: int = 0

    def remarks(self, origin: str) -> tuple[str, ...]:
        """A sentence for each kind.

        Args:
            origin: name of the file, as it may be shown.
        """
        counts = ((self.blank, "blank line(s)"), (self.headers, "repeated header row(s)"))
        return tuple(f"{origin}: {count} {what} skipped" for count, what in counts if count)
