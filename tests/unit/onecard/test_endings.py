"""A process that leaves a thread behind in a driver ends with its code."""

from __future__ import annotations

import subprocess
import sys

import pytest

LEAVES_A_THREAD = """
import atexit, sys, threading, time
from onecard.base import endings
import polars as pl

def back_and_forth():
    # Rust calls Python, which waits a millisecond and comes back, as drivers' threads do
    frame = pl.DataFrame({"a": [1] * 1_000_000})
    waited = pl.col("a").map_elements(lambda v: time.sleep(0.001) or v, return_dtype=pl.Int64)
    began.set()
    frame.select(waited)

began = threading.Event()
with endings.with_its_code():
    atexit.register(lambda: print("stopped"))
    threading.Thread(target=back_and_forth, daemon=True).start()
    began.wait()
    time.sleep(0.1)
    print("said")
    sys.exit(int(sys.argv[1]))
"""


@pytest.mark.case("people-15", "with threads left behind in a driver: the code, no abort")
@pytest.mark.parametrize("code", [0, 130])
def test_the_code_and_what_is_to_be_done_at_the_end(code: int) -> None:
    script = [sys.executable, "-c", LEAVES_A_THREAD, str(code)]
    done = subprocess.run(script, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (code, "said\nstopped\n", "")


@pytest.mark.parametrize(("end", "code"), [("sys.exit('why')", 1), ("1 / 0", 1), ("pass", 0)])
def test_any_other_end_is_as_everywhere(end: str, code: int) -> None:
    script = f"""
import sys, threading
from onecard.base import endings
with endings.with_its_code():
    threading.Thread(target=threading.Event().wait, daemon=True).start()
    {end}
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
    assert (done.returncode, bool(done.stderr)) == (code, code != 0)
