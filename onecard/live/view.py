"""What the lane knows of a source between two collects of it."""

from __future__ import annotations

from dataclasses import dataclass

from onecard.collect.look import Look
from onecard.ports.news import UNTOLD, SourceState


@dataclass(frozen=True, slots=True)
class View:
    """A look at a source, and what it has found.

    Attributes:
        state: as it was right before a collect; the same says later that nothing has changed.
    """

    look: Look
    state: SourceState

    @classmethod
    def of(cls, look: Look) -> View:
        """Look now; raises as a reading of the source."""
        return cls(look, look.state())

    @property
    def says_anything(self) -> bool:
        """Whether it says anything."""
        return self.state.digest != UNTOLD

    def again(self) -> View:
        """The same look, now."""
        return View.of(self.look)

    def differs(self, other: View) -> bool:
        """Whether something has come, gone or changed between two of the same look."""
        return self.state.digest != other.state.digest

    def end(self) -> View | None:
        """From where it has seen the source end; None where only the bound is known."""
        place = self.state.end
        if place is None:
            return None
        return self if place == self.look.place else View.of(self.look.at(place))
