"""`onecard agreements page`: the public list of applications."""

from __future__ import annotations

from onecard.app.hub_desk import HubDesk
from onecard.cli import output
from onecard.cli.options import Json
from onecard.operations.application_list import write_page


def page(*, json: Json = False) -> None:
    """Write the public list of applications (应用项目清单, article 7) as a page."""
    with output.errors_as_exit_codes():
        file = write_page(HubDesk())
        if json:
            output.emit({"file": file})
        else:
            output.say(str(file))
