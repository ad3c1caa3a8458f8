"""How the command line starts: nothing heavy for `--help`, and the table says what is true."""

from __future__ import annotations

import inspect
import subprocess
import sys
from importlib import import_module, metadata

import pytest
from typer.testing import CliRunner

from onecard.base.extras import extra
from onecard.cli import app as cli
from onecard.cli import lazy
from onecard.cli.commands import COMMANDS, GROUPS, Command

ALL = (*COMMANDS, *cli.added())
MAY_IMPORT = {"annotated_doc", "demo", "onecard", "rich", "shellingham", "typer"}
"""Packages, beside Python's own, that `--help` and `--version` may import."""

LOADED = """
import sys
before = set(sys.modules)
from onecard.cli.entry import main
sys.argv = ["onecard", *sys.argv[1:]]
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
print("loaded:", *sorted(set(sys.modules) - before))
"""


def loaded(*arguments: str) -> list[str]:
    """Modules that a fresh interpreter has imported after the command."""
    done = subprocess.run(
        [sys.executable, "-c", LOADED, *arguments], capture_output=True, text=True, check=True
    )
    return done.stdout.split("loaded:")[1].split()


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_help_and_version_import_nothing_heavy(option: str) -> None:
    found = loaded(option)
    packages = {name.split(".")[0] for name in found} - set(sys.stdlib_module_names)
    assert packages <= MAY_IMPORT
    ours = {name for name in found if name.split(".")[0] in ("onecard", "demo")}
    assert ours <= {
        *("onecard", "onecard.errors", "demo", "demo.commands", "onecard.cli"),
        *("onecard.base", "onecard.base.endings", "onecard.base.interrupts"),
        *(
            f"onecard.cli.{name}"
            for name in ("app", "commands", "entry", "help", "lazy", "standard_output")
        ),
    }


def test_a_groups_page_imports_no_command_of_it() -> None:
    found = loaded("agreements", "--help")  # Typer itself reads the words by pydantic
    assert not {"onecard.cli.agreements", "onecard.app", "schemas", "polars", "sqlalchemy"} & set(
        found
    )


def test_a_command_imports_what_it_needs_and_no_other_command() -> None:
    found = loaded("keys", "list", "--help")
    assert "onecard.cli.keys" in found
    assert "onecard.cli.operate" not in found
    assert "demo" not in found


@pytest.mark.parametrize("command", ALL, ids=lambda c: c.words)
def test_the_table_says_what_the_function_says(command: Command) -> None:
    module, _, function = command.target.partition(":")
    text = inspect.getdoc(getattr(import_module(module), function)) or ""
    assert " ".join(text.split("\n\n")[0].split()) == command.help


@pytest.mark.parametrize("command", ALL, ids=lambda c: c.words)
def test_every_command_has_a_page_of_help(command: Command) -> None:
    done = CliRunner().invoke(cli.app, [*command.words.split(), "--help"])
    assert done.exit_code == 0, done.output
    assert f"onecard {command.words}" in done.output
    assert "Args:" not in done.output


def test_the_page_lists_every_command_with_its_line() -> None:
    found = CliRunner(env={"COLUMNS": "200"}).invoke(cli.app, ["--help"])
    assert found.exit_code == 0
    for command in ALL:
        if not command.group:
            assert f"│ {command.name} " in found.output
            assert command.help in found.output
    for name, line in GROUPS.items():
        assert f"│ {name} " in found.output
        assert line in found.output
        inner = CliRunner(env={"COLUMNS": "200"}).invoke(cli.app, [name])
        assert inner.exit_code == 2
        assert all(c.help in inner.output for c in ALL if c.group == name)


def test_the_pages_frame_is_straight_also_around_chinese() -> None:
    shown = CliRunner(env={"COLUMNS": "60"}).invoke(cli.app, ["agreements"]).output
    wide = [line for line in shown.splitlines() if line.startswith("│")]
    assert any("应用项目清单" in line for line in wide)
    assert {len(line.encode("gbk")) for line in wide} == {62}  # each │ is one column, two bytes


@pytest.mark.case("people-7", "--version prints the installed version")
def test_the_installed_version_is_printed() -> None:
    done = CliRunner().invoke(cli.app, ["--version"])
    assert done.output.split() == ["onecard", metadata.version("onecard-hub")]


def entries(monkeypatch: pytest.MonkeyPatch, value: str) -> list[Command]:
    found = metadata.EntryPoints([metadata.EntryPoint("x", value, cli.ADDED)])
    monkeypatch.setattr(metadata, "distribution", lambda _: type("D", (), {"entry_points": found}))
    return list(cli.added())


def test_an_absent_package_adds_no_command(monkeypatch: pytest.MonkeyPatch) -> None:
    assert entries(monkeypatch, "nowhere_at_all.commands:COMMANDS") == []


def test_a_broken_table_costs_its_own_command_only(monkeypatch: pytest.MonkeyPatch) -> None:
    (command,) = entries(monkeypatch, "demo.commands:NOTHING")
    assert command.words == "x"
    page = CliRunner().invoke(cli.app, ["--help"])
    assert page.exit_code == 0
    assert "demo.commands:NOTHING cannot be read" in " ".join(page.output.split())
    called = CliRunner().invoke(cli.app, ["x"])
    assert isinstance(called.exception, AttributeError)


def test_a_command_without_its_extra_says_which_and_exits_1(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def imported(_: str) -> None:
        with extra("reports"):
            import_module("nowhere_at_all")

    monkeypatch.setattr(lazy, "_imported", imported)
    called = CliRunner().invoke(cli.app, ["nightly"])
    assert called.exit_code == 1
    assert "onecard-hub[reports]" in called.stderr
    assert "Traceback" not in called.stderr
