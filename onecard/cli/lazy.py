"""Groups that import a command when it is called; before that its line in the table stands in."""

from __future__ import annotations

import gc
from collections.abc import Iterable, Mapping
from importlib import import_module
from types import ModuleType
from typing import Any

import typer
from typer._click.core import Command as AnyCommand  # typer's own copy: it has no public name
from typer._click.core import Context, Parameter
from typer._click.formatting import HelpFormatter
from typer.core import TyperCommand, TyperGroup

from onecard.base import interrupts
from onecard.cli.commands import Command
from onecard.cli.help import Line, Panel, page

Resolved = tuple[str | None, AnyCommand | None, list[str]]
"""What Click makes of the first argument: the name, the command, the other arguments."""


class Listed(TyperCommand):
    """A command as `--help` lists it; `load` gives the one that runs."""

    def __init__(self, entry: Command) -> None:
        super().__init__(entry.name, help=entry.help)
        self._entry = entry

    def load(self) -> AnyCommand:
        """Import the function behind it; with it come the options.

        Raises:
            typer.Exit: it needs an extra that is not installed; says which one.
        """
        from onecard.cli import output  # noqa: PLC0415 - `--help` starts without it

        module, _, function = self._entry.target.partition(":")
        with output.errors_as_exit_codes():
            found = _imported(module)
        interrupts.orderly()
        single = typer.Typer(add_completion=False)
        # Not the docstring: its arguments are for readers of the code, the options say them here.
        single.command(self._entry.name, help=self.help)(getattr(found, function))
        return typer.main.get_command(single)


def _imported(module: str) -> ModuleType:
    """The module; garbage is not looked for meanwhile, since what is imported stays."""
    gc.disable()
    try:
        return import_module(module)
    finally:
        gc.freeze()
        gc.enable()


class Group(TyperGroup):
    """Lists its commands without importing them."""

    def resolve_command(self, ctx: Context, args: list[str]) -> Resolved:
        """The command that the arguments name, imported."""
        name, found, rest = super().resolve_command(ctx, args)
        return name, found.load() if isinstance(found, Listed) else found, rest

    def format_help(self, ctx: Context, formatter: HelpFormatter) -> None:  # noqa: ARG002
        """Print the page at once, as Typer's own does: it counts on that where it ends with 2."""
        usage = " ".join([ctx.command_path, *self.collect_usage_pieces(ctx)])
        options = [_option(parameter) for parameter in self.get_params(ctx)]
        commands = [Line(name, self.commands[name].help or "") for name in self.list_commands(ctx)]
        panels = [Panel("Options", options), Panel("Commands", commands)]
        typer.echo(page(usage, self.help or "", panels))


def _option(parameter: Parameter) -> Line:
    return Line(", ".join(parameter.opts), str(getattr(parameter, "help", "")))


def tree(entries: Iterable[Command], groups: Mapping[str, str]) -> dict[str, AnyCommand]:
    """Commands and groups by name, in the table's order.

    Args:
        entries: the commands; a group's name is the first of two words.
        groups: each group's name and its line of help.
    """
    found: dict[str, Any] = {}
    for entry in entries:
        if not entry.group:
            found[entry.name] = Listed(entry)
            continue
        if entry.group not in found:
            found[entry.group] = Group(
                name=entry.group, help=groups[entry.group], no_args_is_help=True
            )
        found[entry.group].commands[entry.name] = Listed(entry)
    return found
