"""A resident process hears that it is to end, whichever thread the system gives the signal to."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

WAITS = """
import os, signal, sys, threading, time
from onecard.base import interrupts

reads = os.read

def read(*arguments):
    waits.set()
    return reads(*arguments)

def tell():
    waits.wait()
    time.sleep(0.2)
    signal.pthread_kill(threading.get_ident(), int(sys.argv[1]))
    time.sleep(3600)

waits = threading.Event()
signal.signal(int(sys.argv[1]), signal.SIG_DFL)  # whoever runs this may ignore it, as nohup does
interrupts.install()
interrupts.orderly()
os.read = read
threading.Thread(target=tell, daemon=True).start()
print(interrupts.told_to_end(), flush=True)
if sys.argv[2:]:
    signal.pthread_kill(threading.get_ident(), int(sys.argv[1]))
"""


def told(number: int, *more: str) -> subprocess.CompletedProcess[str]:
    """A process whose other thread gets the signal while its main thread waits."""
    command = [sys.executable, "-c", WAITS, str(int(number)), *more]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_that_another_thread_gets_ends_the_wait(number: int) -> None:
    found = told(number)
    assert (found.returncode, found.stdout.strip()) == (0, str(int(number))), found.stderr


def test_a_second_one_ends_the_process() -> None:
    found = told(signal.SIGTERM, "again")
    assert (found.returncode, found.stdout.strip()) == (-signal.SIGTERM, str(int(signal.SIGTERM)))
