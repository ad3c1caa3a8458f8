"""`onecard alarms send`: tell what is new and what is over, after the night."""

from __future__ import annotations

from onecard.app.hub_desk import HubDesk
from onecard.base.settings import ALARMS
from onecard.cli import output
from onecard.cli.options import Json
from onecard.errors import ConfigError
from onecard.operations import alarms, ticket_news
from onecard.operations.alarm_channels import tell
from onecard.operations.alarm_file import configured


def send(*, json: Json = False) -> None:
    """Tell each channel of ONECARD_ALARMS what is new to it and what is over; news of tickets."""
    with output.errors_as_exit_codes():
        wanted = configured()
        if wanted is None:
            msg = f"{ALARMS}: names no file; see docs/monitoring.md"
            raise ConfigError(msg)
        hub = HubDesk()
        done = [*tell(hub), *ticket_news.tell(hub)]
        if json:
            output.emit(
                [
                    {"channel": t.channel, "new": t.new, "ended": t.ended, "problem": t.problem}
                    for t in done
                ]
            )
        else:
            for told in done:
                output.say(f"{told.channel}: {told.new} new, {told.ended} over")
        alarms.failed(done)
