"""Results that are kept until all are forgotten, and none from before that."""

from __future__ import annotations

import functools
from collections.abc import Callable, Hashable
from typing import Generic, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class Kept(Generic[P, T]):
    """A function that is asked once for the same arguments, until `cache_clear`.

    Unlike that of `functools.cache`, a result whose making began before a `cache_clear` and ended
    after it is given to whoever asked, and not kept: it may be of what a file said before.

    Args:
        make: the function; its arguments are hashable.
    """

    def __init__(self, make: Callable[P, T]) -> None:
        functools.update_wrapper(self, make)
        self._make = make
        self._kept: dict[Hashable, T] = {}

    def __call__(self, *args: P.args, **named: P.kwargs) -> T:
        """The result, kept or new; raises what the function raises, and keeps nothing then.

        Args:
            args: of the function.
            named: of the function, too.
        """
        kept, known = self._kept, (args, tuple(sorted(named.items())))
        if known not in kept:
            kept[known] = self._make(*args, **named)  # goes with its dict, if that has gone
        return kept[known]

    def cache_clear(self) -> None:
        """Forget all results, also those that are being made."""
        self._kept = {}
