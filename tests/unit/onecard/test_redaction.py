"""Nothing personal gets into a log record or a traceback."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Iterator

import pytest

from onecard.base import redaction
from onecard.errors import PolicyError

ID = "410199194901010014"


@pytest.fixture(autouse=True)
def installed() -> Iterator[None]:
    before = logging.getLogRecordFactory(), sys.excepthook, sys.unraisablehook
    import threading

    hook = threading.excepthook
    redaction.install()
    redaction.install()
    yield
    logging.setLogRecordFactory(before[0])
    sys.excepthook, sys.unraisablehook, threading.excepthook = before[1], before[2], hook


def test_messages_and_arguments(caplog: pytest.LogCaptureFixture) -> None:
    log = logging.getLogger("onecard.test")
    log.warning("row %s of %s", ID, {"mobile": "13812345678"})
    log.warning("row " + ID)  # noqa: G003 - as careless code would
    assert ID not in caplog.text
    assert "13812345678" not in caplog.text
    assert caplog.text.count("[id_number]") == 2


def test_a_message_that_cannot_be_formatted_is_kept_without_its_values(
    caplog: pytest.LogCaptureFixture,
) -> None:
    logging.getLogger("onecard.test").warning("%d rows", ID)
    assert "could not be formatted" in caplog.text
    assert ID not in caplog.text


def test_exceptions_show_places_and_types(caplog: pytest.LogCaptureFixture) -> None:
    log = logging.getLogger("onecard.test")
    ours, foreign = PolicyError("f01: nothing leaves"), RuntimeError("张三")
    try:
        try:
            int(f"Key (person_id18)=({ID}, 张三) already exists")
        except ValueError:
            raise ours from None
    except PolicyError:
        log.exception("failed")
    try:
        try:
            int(f"张三{ID}")
        except ValueError as error:
            raise foreign from error
    except RuntimeError:
        log.exception("failed")
    assert ID not in caplog.text
    assert "张三" not in caplog.text
    assert "f01: nothing leaves" in caplog.text
    assert "test_redaction.py" in caplog.text
    assert "ValueError: (text withheld)" in caplog.text


@pytest.mark.parametrize("where", ["raise ValueError(text)", "thread(text)", "Left(text)"])
def test_uncaught_exceptions_keep_their_values(where: str) -> None:
    code = f"""
import threading
from onecard.base import redaction
redaction.install()
def fail(text): raise ValueError(text)
def thread(text):
    t = threading.Thread(target=fail, args=(text,)); t.start(); t.join()
class Left:
    def __init__(self, text): self.text = text
    def __del__(self): fail(self.text)
    def __repr__(self): return self.text
text = "张三 {ID}"
{where}
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "ValueError: (text withheld)" in done.stderr
    assert ID not in done.stderr
    assert "张三" not in done.stderr
