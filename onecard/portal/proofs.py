"""Proofs in a request: few at the same time, and what was verified before is remembered."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import BoundedSemaphore

from fastapi import HTTPException

from onecard.portal.guard import Visit
from onecard.store.audit_proof import Beginnings

AT_ONCE = BoundedSemaphore(2)
"""Proofs that a process makes at the same time: the other pages must go on."""
_known: dict[str, Beginnings] = {}
"""By the address of the hub's database."""


@contextmanager
def proving(visit: Visit) -> Iterator[Beginnings]:
    """Take a place for a proof; gives the beginnings of the audit log that were verified before.

    Raises:
        HTTPException: 429: others are being made.
    """
    if not AT_ONCE.acquire(blocking=False):
        raise HTTPException(429, "proving")
    try:
        yield _known.setdefault(visit.site.address(), Beginnings())
    finally:
        AT_ONCE.release()
