"""Whether what a door leads to is ready, asked once a second at most whoever wants to know."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

KEPT_S = 1.0
"""An answer counts so long."""
PATIENCE_S = 2.0
"""A question that is not answered by then is answered with no."""

log = logging.getLogger(__name__)


class Readiness:
    """Asks on a thread beside the event loop; one question at a time.

    Args:
        ready: may wait for the database.
        steady_s: a clock that nobody sets, in seconds.
    """

    def __init__(
        self, ready: Callable[[], bool], steady_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._ready, self._steady_s = ready, steady_s
        self._question: asyncio.Future[bool] | None = None
        self._answered_at = float("-inf")

    async def __call__(self) -> bool:
        """The answer that counts, or a new one."""
        question = self._question
        if question is None or (question.done() and self._steady_s() - self._answered_at >= KEPT_S):
            question = asyncio.get_running_loop().run_in_executor(None, self._asked)
            self._question = question
        await asyncio.wait({question}, timeout=PATIENCE_S)
        return question.done() and question.result()

    def _asked(self) -> bool:
        try:
            return self._ready()
        except Exception as error:  # noqa: BLE001 - not ready, whatever fails
            log.warning("the door cannot say whether it is ready (%s)", type(error).__name__)
            return False
        finally:
            self._answered_at = self._steady_s()
