"""After a step of a ticket its people are told, once the answer has left."""

from __future__ import annotations

import logging
from collections.abc import Callable

from fastapi.responses import Response
from starlette.background import BackgroundTask

from onecard.errors import as_onecard_error
from onecard.operations import ticket_news
from onecard.portal.guard import Visit
from onecard.ports.desk import Desk

log = logging.getLogger(__name__)


def then_tell(visit: Visit, answer: Response) -> Response:
    """The answer, behind which people in charge of tickets are told what there is to tell.

    Args:
        visit: of the step.
        answer: to it.
    """
    answer.background = BackgroundTask(_tell, visit.site.desk)
    return answer


def _tell(desk: Callable[[], Desk]) -> None:
    """What fails waits in the database for the next time."""
    try:
        for told in ticket_news.tell(desk(), reminding=False):
            if told.problem:
                log.warning("news of tickets wait: %s: %s", told.channel, told.problem)
    except Exception as caught:  # noqa: BLE001 - the step is done, whatever becomes of its news
        error = as_onecard_error(caught)
        log.warning("news of tickets wait: %s: %s", type(error).__name__, error)
