"""A resident process is told to end, whichever of its threads the system gives the signal to."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

RESIDENT = """
import signal, sys, threading, time
from onecard.base import interrupts
interrupts.install()
here = threading.get_ident() if sys.argv[1] == "main" else 0

def tell():
    while signal.getsignal(signal.SIGTERM) is interrupts._interrupt:
        time.sleep(0.01)
    time.sleep(0.3)  # the main thread waits by then
    signal.pthread_kill(here or threading.get_ident(), signal.Signals[sys.argv[2]])

threading.Thread(target=tell, daemon=True).start()
print(interrupts.told_to_end(), flush=True)
signal.raise_signal(signal.SIGTERM)
"""


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
@pytest.mark.parametrize("thread", ["main", "another"])
def test_a_signal_ends_it_and_a_second_one_at_once(thread: str, name: str) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)  # below nohup it would stay ignored
    try:
        done = subprocess.run(
            [sys.executable, "-c", RESIDENT, thread, name],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
    finally:
        signal.signal(signal.SIGHUP, before)
    assert done.stdout.split() == [str(int(signal.Signals[name]))], done.stderr
    assert done.returncode == -signal.SIGTERM
