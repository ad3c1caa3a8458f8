"""After a step of a ticket its people are told, once the answer has left."""

from __future__ import annotations

from fastapi.responses import Response
from starlette.background import BackgroundTask

from onecard.operations import ticket_news
from onecard.portal.guard import Visit


def then_tell(visit: Visit, answer: Response) -> Response:
    """The answer, behind which people in charge of tickets are told what there is to tell.

    Args:
        visit: of the step.
        answer: to it.
    """
    answer.background = BackgroundTask(ticket_news.try_telling, visit.site.desk, reminding=False)
    return answer
