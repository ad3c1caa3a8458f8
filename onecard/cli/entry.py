"""Where the installed `onecard` begins: signals are taken before anything else is imported."""

from __future__ import annotations

from onecard.base import endings, interrupts


def main() -> None:
    """Entry point."""
    interrupts.install()
    with endings.with_its_code():
        from onecard.cli.app import main as run  # noqa: PLC0415 - the first second is of imports

        run()
