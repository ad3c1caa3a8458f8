"""Where the installed `onecard` begins: signals are taken before anything else is imported."""

from __future__ import annotations

from onecard.base import interrupts


def main() -> None:
    """Entry point."""
    interrupts.install()
    from onecard.cli.app import main as run  # noqa: PLC0415 - the first second is that of imports

    run()
