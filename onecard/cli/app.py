"""The `onecard` command. Exit codes: 0 done, 1 failed, 2 usage, 3 held for a person."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from importlib import metadata
from typing import Annotated, Any

import typer
from typer._click.core import Context

from onecard.base import interrupts
from onecard.cli.commands import COMMANDS, GROUPS, Command
from onecard.cli.lazy import Group, Resolved, tree
from onecard.cli.standard_output import write
from onecard.errors import ConfigError

DISTRIBUTION = "onecard-hub"
ADDED = "onecard.commands"
"""Entry points of this group name tables of commands that are no part of `onecard`."""


def added() -> Iterator[Command]:
    """Commands that other packages of this distribution add; an absent package adds none.

    A table that cannot be read costs its own commands only: one takes their place that says why.
    """
    for entry in metadata.distribution(DISTRIBUTION).entry_points.select(group=ADDED):
        try:
            yield from entry.load()
        except (ImportError, AttributeError, SyntaxError) as error:
            package = entry.module.partition(".")[0]
            if not (isinstance(error, ModuleNotFoundError) and error.name == package):
                yield Command(entry.name, entry.value, f"({entry.value} cannot be read: call it.)")


class Root(Group):
    """All commands of the table; those that are added are looked up where the table has none."""

    def __init__(self, **attributes: Any) -> None:  # noqa: ANN401 - as typer declares them
        super().__init__(**attributes)
        self.commands.update(tree(COMMANDS, GROUPS))

    def list_commands(self, ctx: Context) -> list[str]:
        """Names of all commands."""
        self.commands.update(tree(added(), GROUPS))
        return super().list_commands(ctx)

    def resolve_command(self, ctx: Context, args: list[str]) -> Resolved:
        """The command that the arguments name, imported."""
        if args[0] not in self.commands:
            self.list_commands(ctx)
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: Context) -> Any:  # noqa: ANN401 - as typer declares it
        """Run a command; `ctx.obj` is what to do before, e.g. to set up the log."""
        from onecard.cli import output  # noqa: PLC0415 - `--help` starts without it

        if ctx.obj is not None:
            ctx.obj()
        with output.interrupts_as_exit_codes():
            return super().invoke(ctx)


app = typer.Typer(
    name="onecard",
    cls=Root,
    help="The integration and control layer of the resident One-Card. Its settings are ONECARD_*"
    " variables (docs/operations.md); `onecard doctor` looks at them.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def _version(*, wanted: bool) -> None:
    if wanted:
        write(f"onecard {metadata.version(DISTRIBUTION)}\n")
        raise typer.Exit


@app.callback()
def options(
    *,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """Options of the command itself."""


def main() -> None:
    """Run the words of this process's command line; `onecard.cli.entry` is what is installed."""
    interrupts.install()
    app(obj=_begin)


def _begin() -> None:
    """Redaction and logs, before the command's own modules are imported; `--help` needs neither."""
    # Plugins would see what is validated, and looking for them reads every package's metadata.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    # NumPy's threads for matrices, of which there are none here, wait by spinning at their start.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from onecard.base import allocator, logs, redaction  # noqa: PLC0415

    allocator.choose()
    redaction.install()
    try:
        logs.set_up(os.environ)
    except ConfigError as error:
        logs.complain(error)
        sys.exit(2)
