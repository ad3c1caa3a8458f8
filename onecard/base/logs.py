"""What the hub says while it works: one event when a step of a transfer starts, one when it ends.

Events are plain `logging` records with their facts as `extra`, so that Airflow's task log handlers
and any other handler take them as they are. The command line has handlers of its own (`set_up`):

| variable | meaning | default |
|---|---|---|
| ONECARD_LOG | `json` (a line per record) or `text`, on standard error | only warnings, as text |
| ONECARD_LOG_LEVEL | `DEBUG`, `INFO`, `WARNING` or `ERROR` | `INFO` where ONECARD_LOG is set |

A record says only what stands in `FACTS`, and only ours bring any: what libraries attach to their
records is dropped.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from types import TracebackType
from typing import Literal

from onecard.base import interrupts, redaction
from onecard.base.personal import redact
from onecard.base.times import ZONE
from onecard.errors import (
    ConfigError,
    HoldError,
    Interrupted,
    OnecardError,
    as_onecard_error,
    unknown,
)

Form = Literal["json", "text"]
FORMS = ("json", "text")
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
FACTS = (
    "event",
    "step",
    "outcome",
    "direction",
    "dataset",
    "agreement",
    "transfer",
    "actor",
    "counts",
    "seconds",
    "error",
)
OURS = ("onecard", "connectors", "quality", "schemas")
"""Packages whose records may bring facts of their own."""
STEPS = "onecard.steps"
"""The logger of the events."""

Listener = Callable[[Mapping[str, object]], None]
"""Takes the facts of a step that ended."""

log = logging.getLogger(STEPS)
_listeners: list[Listener] = []
_step: ContextVar[dict[str, object] | None] = ContextVar("onecard_step", default=None)


def note(**facts: object) -> None:
    """Add facts to the step that this code runs in; without one nothing happens."""
    current = _step.get()
    if current is not None:
        current.update(facts)


@contextmanager
def step(name: str, **about: object) -> Iterator[None]:
    """Say when a step starts and how it ended.

    Args:
        name: `<direction>.<step>`, or the direction alone.
        about: facts known from the start: dataset or agreement, transfer, actor.
    """
    direction = name.split(".", maxsplit=1)[0]
    facts: dict[str, object] = {"step": name, "direction": direction, **about}
    token = _step.set(facts)
    started = time.monotonic()
    try:
        _say(logging.INFO, {"event": "started"})
        try:
            yield
        except Exception as error:
            outcome = "held" if isinstance(error, HoldError) else "failed"
            level = logging.WARNING if outcome == "held" else logging.ERROR
            known = as_onecard_error(error)
            ended: dict[str, object] = {"outcome": outcome, "error": type(known).__name__}
            _end(level, {**ended, **_since(started)}, f": {known}")
            raise
        _end(logging.INFO, {"outcome": "done", **_since(started)})
    finally:
        _step.reset(token)


def listen(listener: Listener) -> None:
    """Tell `listener` of every step that ends in this process from now on; once is enough."""
    if listener not in _listeners:
        _listeners.append(listener)


def _end(level: int, more: Mapping[str, object], why: str = "") -> None:
    _say(level, {"event": "ended", **more}, why)
    for listener in _listeners:
        try:
            listener({**(_step.get() or {}), **more})
        except Exception as error:  # noqa: BLE001 - who listens never fails a transfer
            logging.getLogger(__name__).warning("a listener failed (%s)", type(error).__name__)


def _since(started: float) -> dict[str, object]:
    return {"seconds": round(time.monotonic() - started, 3)}


def _say(level: int, more: Mapping[str, object], why: str = "") -> None:
    facts = {**(_step.get() or {}), **more}
    subject = facts.get("dataset") or facts.get("agreement")
    words = [str(facts["step"]), str(facts.get("outcome") or facts["event"]), str(subject)]
    if "transfer" in facts:
        words.append(f"transfer {facts['transfer']}")
    counts = facts.get("counts")
    if isinstance(counts, Mapping) and facts["event"] == "ended":
        words += [f"{name}={number}" for name, number in counts.items() if number]
    if "seconds" in facts:
        words.append(f"in {facts['seconds']} s")
    log.log(level, "%s%s", " ".join(words), why, extra=facts)


def set_up(environment: Mapping[str, str]) -> None:
    """Give this process the handler that the environment asks for.

    Raises:
        ConfigError: a value that is not known; it names the variable.
    """
    form = environment.get("ONECARD_LOG") or ""
    level = environment.get("ONECARD_LOG_LEVEL") or ("INFO" if form else "WARNING")
    if form and form not in FORMS:
        raise ConfigError("ONECARD_LOG: " + unknown("form", form, FORMS))
    if level not in LEVELS:
        raise ConfigError("ONECARD_LOG_LEVEL: " + unknown("level", level, LEVELS))
    handler = logging.StreamHandler()
    handler.setFormatter(Json() if form == "json" else Text())
    handler.addFilter(_of_ours_or_grave)
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    # Without a form a command says itself how a transfer ended; nobody wants to read it twice.
    log.disabled = not form
    logging.captureWarnings(capture=bool(form))
    if form == "json":
        sys.excepthook = _uncaught


def _of_ours_or_grave(record: logging.LogRecord) -> bool:
    """Libraries speak up when something is wrong, or where DEBUG was asked for; they chatter.

    What they say of calls that were interrupted is nothing wrong.
    """
    wrong = record.levelno >= logging.WARNING and not interrupts.pending()
    grave = wrong or logging.getLogger().level <= logging.DEBUG
    return grave or record.name.partition(".")[0] in (*OURS, "demo")


def as_json() -> bool:
    """Whether everything on standard error shall be JSON."""
    return any(isinstance(h.formatter, Json) for h in logging.getLogger().handlers)


def _uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    log.critical("uncaught", exc_info=(kind, error, trace))


class Text(logging.Formatter):
    """Time, level, logger and message on one line; personal data is taken out."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as a line, and its traceback where it has one."""
        head = f"{_when(record)} {record.levelname} {record.name}: {_message(record)}"
        return "\n".join([head, *_traceback(record)])


class Json(logging.Formatter):
    """A record as one line of JSON; personal data is taken out of every text."""

    def format(self, record: logging.LogRecord) -> str:
        """The record's own facts before those of the step that it was made in."""
        own = vars(record) if record.name.split(".", maxsplit=1)[0] in OURS else {}
        facts = {**(_step.get() or {}), **own}
        line: dict[str, object] = {
            "time": _when(record),
            "level": record.levelname,
            "logger": record.name,
            "message": _message(record),
            **{name: _clean(facts[name]) for name in FACTS if name in facts},
        }
        if trace := _traceback(record):
            line["traceback"] = trace[0]
        return json.dumps(line, ensure_ascii=False, default=lambda _: "(withheld)")


def _when(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, ZONE).isoformat(timespec="milliseconds")


def _message(record: logging.LogRecord) -> str:
    """Also of records that were made before redaction was installed."""
    return redact(record.getMessage()).replace("\n", "\\n")


def _traceback(record: logging.LogRecord) -> list[str]:
    """Places and types; the text of foreign errors is withheld."""
    if record.exc_info and isinstance(record.exc_info[1], BaseException):
        return [redaction.describe(record.exc_info[1])]
    return [redact(text) for text in (record.exc_text, record.stack_info) if text]


def _clean(value: object) -> object:
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, Mapping):
        return {redact(str(k)): _clean(v) for k, v in value.items()}
    return value if isinstance(value, int | float | None) else redact(str(value))


def complain(error: OnecardError) -> None:
    """Tell why a command ends: a line for people, or one more line of JSON."""
    if as_json():
        event = "interrupted" if isinstance(error, Interrupted) else "refused"
        facts = {"event": event, "error": type(error).__name__}
        logging.getLogger("onecard.cli").error("%s", error, extra=facts)
    else:
        head = "" if isinstance(error, Interrupted) else f"{type(error).__name__}: "
        sys.stderr.write(f"{head}{redact(str(error))}\n")
