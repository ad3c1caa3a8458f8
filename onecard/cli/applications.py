"""`onecard agreements page`: the public list of applications."""

from __future__ import annotations

from onecard.app.wiring import Hub
from onecard.cli import output
from onecard.operations.application_list import write_page


def page() -> None:
    """Write the public list of applications (应用项目清单, article 7) as a page."""
    with output.errors_as_exit_codes():
        output.say(str(write_page(Hub())))
