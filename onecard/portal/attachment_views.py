"""Files of tickets: looked through and taken with a form, given as downloads, on record.

The guard has checked everything that stands in `Visit`.
"""

from __future__ import annotations

from threading import BoundedSemaphore

from fastapi import HTTPException
from fastapi.responses import Response

from onecard.model.attachments import MEDIA, MOST_BYTES, NewAttachment, UnfitFile
from onecard.operations import attached_files
from onecard.portal.answers import hub, note
from onecard.portal.guard import Visit
from onecard.portal.objects import there
from onecard.store import attachments
from onecard.store.database import Connection

POLICY = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox"
"""Of what people have sent: whatever opens it, it does nothing."""
ACCEPTED = ".pdf,.png,.jpg,.jpeg,.xlsx,.csv,.txt"
"""What a browser offers to choose; what is sent is looked at by its bytes."""
AT_ONCE = BoundedSemaphore(2)
"""Files that a process looks through at the same time."""


def attachment(visit: Visit) -> Response:
    """A file, for the two agencies of its ticket; on record before it leaves."""
    found = there(visit.attachment)
    if visit.agency not in visit.visitor.named:  # an engineer sees every ticket, and no file
        raise HTTPException(403, "two_agencies")
    if found.erased_at is not None:
        raise HTTPException(410, "erased")
    note(visit, "access.attachment", there(visit.ticket).dataset, attachments.facts(found))
    with hub(visit) as connection:
        content = attachments.content(connection, found, visit.site.desk().keys)
    if content is None:
        raise HTTPException(410, "erased")
    headers = {
        "Content-Disposition": f'attachment; filename="{found.name}"',
        "Content-Security-Policy": POLICY,
    }
    return Response(content, media_type=MEDIA[found.kind], headers=headers)


def taken(visit: Visit) -> NewAttachment | None:
    """The file that came with a form, looked through; None: none was chosen.

    Raises:
        HTTPException: 413 for too many bytes, 422 for none, 429 while others are looked at.
        UnfitFile: it is none that is taken; that one was sent is on record.
    """
    sent = visit.file
    if sent is None:
        return None
    if not sent.size:
        raise HTTPException(422, "empty_file")
    if sent.size > MOST_BYTES:
        raise HTTPException(413, "large")
    if not AT_ONCE.acquire(blocking=False):
        raise HTTPException(429, "busy")
    try:
        content = sent.stream.read()
        kind = attached_files.judged(content)
    except UnfitFile as error:
        facts: dict[str, object] = {"reason": error.reason, "bytes": sent.size}
        note(visit, "access.attachment_refused", visit.agency, facts)
        raise
    finally:
        AT_ONCE.release()
    now = visit.site.settings.now()
    return NewAttachment(kind, content, visit.visitor.name, visit.agency, now)


def keep(visit: Visit, connection: Connection, ticket: int, new: NewAttachment | None) -> None:
    """Keep a file, where there is one, with what was just done.

    Args:
        visit: whose file it is.
        connection: in the transaction of the act.
        ticket: its id.
        new: the file.

    Raises:
        UnfitFile: the ticket has no room for it: then the act is not done either.
    """
    if new is not None:
        desk = visit.site.desk()
        attachments.add(connection, ticket, new, desk.keys, desk.suite)
