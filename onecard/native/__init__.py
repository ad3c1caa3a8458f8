"""The compiled library: plain C over Arrow buffers, each function with a plain path beside it.

In: buffers that the caller owns. Out: buffers and numbers. No SQL, no rule of its own: lists and
patterns come from the caller. `library()` gives None where it was not built, does not fit, or is
switched off; the caller then takes the plain path, which gives the same.
"""

from __future__ import annotations

import ctypes
import functools
import logging

from onecard.base import settings
from onecard.native import sources

log = logging.getLogger(__name__)


def library() -> ctypes.CDLL | None:
    """The library; None: the caller takes the plain path."""
    return _loaded()[0] if settings.native() else None


def absence() -> str:
    """Why there is no library, in words; empty where there is one."""
    return _loaded()[1] if settings.native() else "ONECARD_NATIVE is off"


@functools.cache
def _loaded() -> tuple[ctypes.CDLL | None, str]:
    """The library, or why not; what cannot be used is said in the log once."""
    if not sources.LIBRARY.exists():
        return None, "the library is not built"
    why = "the library is not made of these sources"
    try:
        opened = ctypes.CDLL(str(sources.LIBRARY))
        opened.onecard_digest.restype = ctypes.c_char_p
        if opened.onecard_digest() == sources.digest().encode():
            return opened, ""
    except (OSError, AttributeError) as error:
        why = f"the library does not load ({type(error).__name__})"
    log.warning("%s: rows take the plain path; `make setup` builds it anew", why)
    return None, why
