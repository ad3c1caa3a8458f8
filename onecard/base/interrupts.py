"""Ctrl-C, SIGTERM and SIGHUP: what is under way is closed, and the process ends within a second.

Three ways, by how far the process is:

1. While a command is being imported nothing is under way: the process ends at once.
2. Later the main thread is interrupted (`Interruption`) and unwinds; `closing` blocks note on the
   way what they had begun, and threads that help are waited for no longer (`pending`).
3. A main thread that hangs in a driver written in C never sees that. A thread of its own, which the
   signal wakes by itself, does the noting in its place and ends the process.

Only the command line asks for it (`install`); under Airflow tasks are ended by Airflow.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

log = logging.getLogger(__name__)

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
UNWIND_S = 0.5
"""So long the main thread has for its way out."""
NOTE_S = 2.0
"""So long the noting may take at most; it takes a tenth where the hub's database answers."""
ENDED_BY_SIGNAL = 128
"""Exit codes above are the signal's number, as shells have it."""

Close = Callable[[], None]


class Interruption(KeyboardInterrupt):
    """The main thread is interrupted; `signal` says by what."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.signal = number


class _State:
    """What this process is about."""

    def __init__(self) -> None:
        self.installed = False
        self.orderly = False
        self.received = 0
        self.lock = threading.Lock()
        self.noting = threading.Lock()
        self.word = threading.RLock()
        self.said = False
        self.open: dict[int, Close] = {}


_now = _State()


def install() -> None:
    """Take the signals of this process, but for those that its parent has it ignore."""
    if _now.installed or threading.current_thread() is not threading.main_thread():
        return
    _now.installed = True
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _interrupt)
    threading.Thread(target=_watch, args=(reading,), name="interrupts", daemon=True).start()


def release() -> None:
    """Leave the signals to a command that has children to end, and takes the time for that."""
    if not _now.installed:
        return
    _now.installed = False
    signal.set_wakeup_fd(-1)
    for number in SIGNALS:
        if signal.getsignal(number) is _interrupt:
            usual = signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
            signal.signal(number, usual)


def told_to_end() -> int:
    """Wait in the main thread until this process is told to end; returns the number of the signal.

    The signals are this function's from now on: a second one ends the process as it does any other.
    The number comes by the wake-up descriptor, which is written to in whichever thread the system
    chooses: a handler in Python would wait for the main thread, and the main thread for it.
    """
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    taken = [number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
    _now.installed = False
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    for number in taken:
        signal.signal(number, _noted)
    heard = 0
    while heard not in SIGNALS:
        heard = os.read(reading, 1)[0]
    signal.set_wakeup_fd(-1)
    for number in taken:
        signal.signal(number, signal.SIG_DFL)
    return heard


def _noted(_number: int, _frame: FrameType | None) -> None:
    """The wake-up descriptor has it."""


def orderly() -> None:
    """From now on something may be under way, which an interrupt must unwind."""
    _now.orderly = True


def pending() -> bool:
    """Whether this process has been told to end."""
    return bool(_now.received)


def number_of(error: BaseException | None = None) -> int:
    """The signal behind an interrupt; a bare KeyboardInterrupt is a Ctrl-C."""
    return int(getattr(error, "signal", 0)) or _now.received or int(signal.SIGINT)


def say_once(say: Callable[[], None]) -> None:
    """Say that the process is interrupted, unless it is said; whoever comes second waits for it."""
    with _now.word:
        if not _now.said:
            _now.said = True
            say()


@contextmanager
def closing(close: Close) -> Iterator[None]:
    """Something that must be noted when its work is interrupted: by us, by Airflow, by an exit.

    Args:
        close: notes it, by means of its own: the main thread may hang in what the work uses. Where
            it fails, whoever comes next finds the work as after a crash.
    """
    key = object()
    _now.open[id(key)] = close
    try:
        yield
    except (Exception, GeneratorExit):
        raise
    except BaseException:
        _close(id(key))
        raise
    finally:
        _now.open.pop(id(key), None)


def _close(key: int) -> None:
    """Close once, whoever comes first."""
    with _now.lock:
        close = _now.open.pop(key, None)
    if close is None:
        return
    with _now.noting:
        try:
            close()
        except Exception as error:  # noqa: BLE001 - the process ends, with or without the note
            log.warning("not noted that this was interrupted (%s)", type(error).__name__)


def _interrupt(number: int, _frame: FrameType | None) -> None:
    if not _now.orderly or _now.received:  # nothing is under way; or somebody insists
        _end(number)
    _now.received = number
    raise Interruption(number)


def _watch(reading: int) -> None:
    """Wait for a signal, then for the main thread, then end in its place."""
    number = 0
    while number not in SIGNALS:
        number = os.read(reading, 1)[0]
    if not _now.orderly:
        _end(number)
    threading.Event().wait(UNWIND_S)
    if not _now.installed:
        return
    _now.received = _now.received or number
    noting = threading.Thread(target=_close_all, name="closing", daemon=True)
    noting.start()
    noting.join(NOTE_S)
    _end(number)


def _close_all() -> None:
    for key in list(_now.open):
        _close(key)
    with _now.noting:  # the main thread may be at it
        pass


def _end(number: int) -> None:
    """End now, as a signal would, but with a word."""
    with suppress(OSError, ValueError):
        sys.stdout.flush()
    with suppress(OSError):
        say_once(_word)
    os._exit(ENDED_BY_SIGNAL + number)


def _word() -> None:
    os.write(2, b"interrupted\n")
