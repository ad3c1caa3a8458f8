"""The session of the hub's database that a request has, from its first use to its answer.

A page that asks much takes another one beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Self

from onecard.store import database
from onecard.store.database import Connection


class RequestSession:
    """Opened when the guard or the view first asks; a block that fails closes it for good.

    So that a session that broke, or was left in the midst of something, serves nobody else: whoever
    asks after that gets another one. A body that is written while it is sent has outlived its
    request's session, and gets one for each block.

    Args:
        address: gives the address of the hub's database.
    """

    def __init__(self, address: Callable[[], str]) -> None:
        self._address = address
        self._lasts = False
        self._opened: AbstractContextManager[Connection] | None = None
        self._connection: Connection | None = None

    def __enter__(self) -> Self:
        """The request begins."""
        self._lasts = True
        return self

    def __exit__(self, *_failure: object) -> None:
        """It has its answer; blocks that failed have said so already."""
        self._lasts = False
        opened, self._opened, self._connection = self._opened, None, None
        if opened is not None:
            opened.__exit__(None, None, None)

    @contextmanager
    def hub(self) -> Iterator[Connection]:
        """The session, in autocommit.

        Raises:
            OnecardError: as `onecard.store.database.connect`.
        """
        if not self._lasts:
            with self._connect() as own:
                yield own
            return
        try:
            yield self._begun()
        except BaseException as error:
            opened, self._opened, self._connection = self._opened, None, None
            if opened is not None:
                opened.__exit__(type(error), error, error.__traceback__)  # in words of ours
            raise

    @contextmanager
    def beside(self) -> Iterator[Connection]:
        """Another session, in autocommit, for this block.

        Raises:
            OnecardError: as `onecard.store.database.connect`.
        """
        with self._connect() as other:
            yield other

    def _begun(self) -> Connection:
        if self._connection is None:
            self._opened = self._connect()
            self._connection = self._opened.__enter__()
        return self._connection

    def _connect(self) -> AbstractContextManager[Connection]:
        return database.connect(self._address(), autocommit=True, prepared=True)
