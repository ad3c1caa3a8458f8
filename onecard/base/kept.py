"""Results that are kept until all are forgotten, and none from before that."""

from __future__ import annotations

import functools
from collections.abc import Callable, Hashable
from typing import Any, Generic, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class Kept(Generic[P, T]):
    """A function that is asked once for the same arguments, until `cache_clear`.

    Unlike that of `functools.cache`, a result whose making began before a `cache_clear` and ended
    after it is given to whoever asked, and not kept: it may be of what a file said before.

    Args:
        make: the function; its arguments are hashable and given by their places.
    """

    def __init__(self, make: Callable[P, T]) -> None:
        functools.update_wrapper(self, make)
        self._make: Callable[..., T] = make
        self._kept: dict[tuple[Hashable, ...], T] = {}

    def __call__(self, *args: P.args, **named: P.kwargs) -> T:
        """The result, kept or new; raises what the function raises, and keeps nothing then.

        Args:
            args: of the function.
            named: none.
        """
        assert not named, "by their places"  # noqa: S101 - a caller's mistake
        kept: dict[Any, T] = self._kept
        if args not in kept:
            kept[args] = self._make(*args)  # forgotten with its dict, where that has come meanwhile
        return kept[args]

    def cache_clear(self) -> None:
        """Forget all results, also those that are being made."""
        self._kept = {}
