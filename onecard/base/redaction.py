"""The last line of defence of logs and tracebacks: personal data is taken out of every record.

No code of ours puts a value of a row into a message; this is for what libraries say. Identity
numbers, mobiles, cards, passports and plates are found (`onecard.base.personal`); names cannot be.
"""

from __future__ import annotations

import logging
import sys
import threading
import traceback
from types import TracebackType
from typing import Any

from onecard.base import interrupts
from onecard.base.personal import redact
from onecard.errors import OnecardError

_MARK = "_onecard_redacts"


def install() -> None:
    """Redact every log record and every uncaught exception of this process; once is enough."""
    earlier = logging.getLogRecordFactory()
    if getattr(earlier, _MARK, False):
        return

    def factory(*args: Any, **kwargs: Any) -> logging.LogRecord:  # noqa: ANN401 - logging's own
        return _clean(earlier(*args, **kwargs))

    setattr(factory, _MARK, True)
    logging.setLogRecordFactory(factory)
    sys.excepthook = _uncaught
    threading.excepthook = _uncaught_in_thread
    sys.unraisablehook = _unraisable


def _clean(record: logging.LogRecord) -> logging.LogRecord:
    try:
        record.msg = redact(record.getMessage())
    except Exception as error:  # noqa: BLE001 - a record is never lost, and never raw
        record.msg = f"message that could not be formatted ({type(error).__name__})"
    record.args = ()
    if record.exc_info and record.exc_info[1] is not None:
        record.exc_text = describe(record.exc_info[1])
        record.exc_info = None
    if record.stack_info:
        record.stack_info = redact(record.stack_info)
    return record


def describe(error: BaseException) -> str:
    """A traceback of places and types; only errors of ours keep their text, redacted."""
    places = traceback.extract_tb(error.__traceback__)
    lines = ["Traceback (most recent call last):"]
    lines += [f'  File "{p.filename}", line {p.lineno}, in {p.name}' for p in places]
    text = redact(str(error)) if isinstance(error, OnecardError) else "(text withheld)"
    lines.append(f"{type(error).__name__}: {text}")
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is not None:
        lines.insert(0, describe(cause) + "\n")
    return "\n".join(lines)


def _uncaught(
    kind: type[BaseException], error: BaseException, _trace: TracebackType | None
) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.stderr.write("interrupted\n")
        return
    sys.stderr.write(describe(error) + "\n")


def _uncaught_in_thread(found: threading.ExceptHookArgs) -> None:
    if found.exc_value is not None and found.exc_type is not SystemExit:
        sys.stderr.write(describe(found.exc_value) + "\n")


def _unraisable(found: sys.UnraisableHookArgs) -> None:
    """What a destructor or a callback raised; of the object only the type is said."""
    if isinstance(found.exc_value, KeyboardInterrupt):
        interrupts.once_more()
    elif found.exc_value is not None:
        where = type(found.object).__name__
        sys.stderr.write(f"ignored in {where}: {describe(found.exc_value)}\n")
