"""Report pages as PDF, printed by a Chromium of the system: it sets Chinese as its screens do.

It gets one file and no network. Style sheets of the pages say the paper, running heads and page
numbers. A page without a Chinese font would be printed as boxes, so that is asked first.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path

from onecard.base import files as whole_file
from onecard.errors import ConfigError, SourceUnavailable

PROGRAMS = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
"""Names under which distributions install it; the first that is found is taken."""
SECONDS = 120
OPTIONS = (
    "--headless",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-dev-shm-usage",
    "--disable-extensions",
    "--disable-sync",
    "--no-first-run",
    "--no-pdf-header-footer",
    "--host-resolver-rules=MAP * ~NOTFOUND",
)
"""Without the browser's own heads and feet; no name is looked up, so nothing is fetched."""


def print_all(pages: Iterable[Path]) -> list[Path]:
    """Print HTML files, each to a PDF of its name beside it; returns the PDF files.

    Args:
        pages: files of any kind; those that are no HTML are left out.

    Raises:
        ConfigError: no Chromium, or no Chinese font on this machine.
        SourceUnavailable: the browser ended without a whole file.
    """
    wanted = [page for page in pages if page.suffix == ".html"]
    if not wanted:
        return []
    program = browser()
    _need_font()
    return [_print(program, page) for page in wanted]


def browser() -> str:
    """The path of the browser that prints.

    Raises:
        ConfigError: there is none.
    """
    for name in PROGRAMS:
        found = shutil.which(name)
        if found:
            return found
    msg = (
        "printing to PDF needs Chromium: `apt-get install chromium fonts-noto-cjk`; looked for "
        + ", ".join(PROGRAMS)
    )
    raise ConfigError(msg)


def _need_font() -> None:
    lister = shutil.which("fc-list")
    if lister is None:  # nobody can say which fonts there are
        return
    found = subprocess.run(  # noqa: S603 - a program of the system, fixed words
        [lister, ":lang=zh-cn", "family"], capture_output=True, check=False, timeout=SECONDS
    )
    if found.returncode == 0 and not found.stdout.strip():
        msg = "printing to PDF needs a Chinese font: `apt-get install fonts-noto-cjk`"
        raise ConfigError(msg)


def _print(program: str, page: Path) -> Path:
    file = page.with_suffix(".pdf")
    with tempfile.TemporaryDirectory(prefix="onecard-print-") as folder:
        printed = Path(folder) / "page.pdf"
        command = [program, *OPTIONS, f"--user-data-dir={folder}", f"--print-to-pdf={printed}"]
        if os.geteuid() == 0:  # Chromium has no sandbox for root
            command.append("--no-sandbox")
        _run([*command, page.resolve().as_uri()], page)
        content = printed.read_bytes() if printed.exists() else b""
        if not _whole(content):
            msg = f"{page.name}: {Path(program).name} left no whole PDF"
            raise SourceUnavailable(msg)
        with whole_file.replacing(file) as draft:
            draft.write_bytes(content)
    return file


def _run(command: list[str], page: Path) -> None:
    name = Path(command[0]).name
    try:
        done = subprocess.run(  # noqa: S603 - a program of the system, our own file
            command, capture_output=True, check=False, timeout=SECONDS
        )
    except subprocess.TimeoutExpired:
        msg = f"{page.name}: {name} did not end within {SECONDS} s"
        raise SourceUnavailable(msg) from None
    except OSError as error:
        msg = f"{page.name}: {name} could not be run ({type(error).__name__})"
        raise ConfigError(msg) from None
    if done.returncode:
        msg = f"{page.name}: {name} ended with {done.returncode}"
        raise SourceUnavailable(msg)


def _whole(content: bytes) -> bool:
    """Whether it begins and ends as a PDF does (ISO 32000-1, 7.5.2 and 7.5.5)."""
    return content.startswith(b"%PDF-") and b"%%EOF" in content[-64:]
