"""docs/sources.md says of web services what the options' models say."""

from __future__ import annotations

import subprocess
import sys

from tests.unit.test_repository import ROOT, tool


def test_the_section_is_as_the_models_say() -> None:
    made = tool("make_services")
    text = made.TARGET.read_text(encoding="utf-8")
    assert made.page(text) == text, "run python tools/make_services.py"
    assert text.count(made.BEGIN) == text.count(made.END) == 1


def test_a_section_that_is_old_is_found() -> None:
    made = tool("make_services")
    old = made.TARGET.read_text(encoding="utf-8").replace("`username_token`", "`token`")
    assert made.page(old) != old


def test_the_command_says_whether_it_is() -> None:
    command = [sys.executable, str(ROOT / "tools" / "make_services.py"), "--check"]
    assert subprocess.run(command, check=False, cwd=ROOT).returncode == 0
