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
import time
from _thread import interrupt_main
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

log = logging.getLogger(__name__)

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
UNWIND_S = 0.5
"""So long the main thread has for its way out."""
AGAIN_S = 0.01
"""After so long a destructor that was interrupted is over."""
NOTE_S = 2.0
"""So long the noting may take at most; it takes a tenth where the hub's database answers."""
AFRESH_S = 0.7
"""So long it is tried afresh in place of the main thread, which may hold what the noting needs."""
WATCHER = "interrupts"
"""Name of the thread that waits for signals; it is never in anything but a read of Python's own."""
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
        self.swallowed = False
        self.lost = threading.Event()
        self.deferring = False
        self.late = False
        self.noting = threading.Lock()
        self.word = threading.RLock()
        self.said = False
        self.open: dict[int, Close] = {}
        self.failure = ""


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
    threading.Thread(target=_watch, args=(reading,), name=WATCHER, daemon=True).start()


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
    Whichever thread the system gives a signal to, the number is in the pipe: a handler of Python's
    would wait for the main thread, which waits itself.
    """
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    _now.installed = False
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    taken = [n for n in SIGNALS if signal.getsignal(n) is not signal.SIG_IGN]
    for number in taken:
        signal.signal(number, _leave_to_reader)
    told = 0
    while told not in taken:
        told = os.read(reading, 1)[0]
    signal.set_wakeup_fd(-1)
    for number in taken:
        signal.signal(number, signal.SIG_DFL)
    return told


def _leave_to_reader(_number: int, _frame: FrameType | None) -> None:
    """Only signals with a handler write their numbers."""


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
    except GeneratorExit:
        raise
    except Exception as error:
        if not _now.received:
            raise
        _close_or_say(id(key))  # a library made something of its own out of the interrupt
        raise Interruption(_now.received) from error
    except BaseException:
        _close_or_say(id(key))
        raise
    finally:
        _now.open.pop(id(key), None)


@contextmanager
def deferred() -> Iterator[Callable[[], None]]:
    """Have an interrupt wait, so that what is begun in the block is known to who must close it.

    Yields:
        What ends the waiting: to be called where it would be closed; else the end of the block is.
    """
    if _now.deferring or threading.current_thread() is not threading.main_thread():
        yield lambda: None  # only the main thread is interrupted
        return

    def over() -> None:
        _now.deferring = False
        if _now.late:
            _now.late = False
            raise Interruption(_now.received)

    _now.deferring = True
    try:
        yield over
    finally:
        _now.deferring = False
    over()


def _close(key: int) -> None:
    """Close once, whoever comes first; where that fails, whoever comes next tries again."""
    with _now.noting, deferred():
        close = _now.open.pop(key, None)
        if close is None:
            return
        try:
            close()
        except Exception as error:  # noqa: BLE001 - the process ends, with or without the note
            _now.open[key], _now.failure = close, type(error).__name__


def _close_or_say(key: int) -> None:
    """Close, or say that it is not noted."""
    _close(key)
    if key in _now.open:
        log.warning("not noted that this was interrupted (%s)", _now.failure)


def once_more() -> None:
    """Interrupt the main thread again: it was in a destructor, or a callback, where errors end.

    Of a process that has left its signals to a command (`release`), the next Ctrl-C counts.
    """
    _now.swallowed = True
    _now.lost.set()


def _interrupt(number: int, _frame: FrameType | None) -> None:
    insists = _now.received and not _now.swallowed
    if not _now.orderly or insists:  # nothing is under way; or somebody insists
        _end(number)
    _now.received, _now.swallowed, _now.late = number, False, _now.deferring
    if not _now.deferring:
        raise Interruption(number)


def _watch(reading: int) -> None:
    """Wait for a signal, then for the main thread, then end in its place."""
    number = 0
    while number not in SIGNALS:
        number = os.read(reading, 1)[0]
    if not _now.orderly:
        _end(number)
    while _now.lost.wait(UNWIND_S):
        _now.lost.clear()
        time.sleep(AGAIN_S)
        interrupt_main(signal.Signals(number))
    if not _now.installed:
        return
    _now.received = _now.received or number
    noting = threading.Thread(target=_close_all, name="closing", daemon=True)
    noting.start()
    noting.join(NOTE_S)
    _end(number)


def _close_all() -> None:
    """Close what is open, in the main thread's place or beside it."""
    until = time.monotonic() + AFRESH_S
    while _now.open and time.monotonic() < until:
        for key in list(_now.open):
            _close(key)
        if _now.open:
            time.sleep(AGAIN_S)
    for key in list(_now.open):
        _close_or_say(key)
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
