"""Tables that people see of a rehearsal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from demo.dag_night import NightRun
from demo.lost_card import Reported, Told
from demo.proof import Proof
from demo.questions import Answer, Questions
from demo.verify import Verdict
from demo.verify_inboxes import InboxVerdict
from onecard.app.wiring import Hub
from onecard.cli import output
from onecard.model.transfers import Transfer
from onecard.operations.night import agreements, datasets


def night(hub: Hub, done: NightRun, day: int) -> None:
    """What one night collected and delivered, and what did not end well."""
    _collected([t for t in done.transfers if t.direction == "collect"], day)
    _delivered(hub, [t for t in done.transfers if t.direction == "deliver"], day)
    subjects = len(datasets(hub)) + len(agreements(hub))
    output.say(
        f"night {day}: {done.ended} transfers of {subjects} subjects in {done.seconds:.1f} s,"
        f" {done.transfer_seconds:.1f} s in transfers"
    )
    for transfer in done.transfers:
        if transfer.status in ("failed", "held"):
            output.say(f"{transfer.status}: {transfer.subject}: {transfer.message}")


def verdicts(found: Mapping[str, Verdict], *, exact: bool) -> None:
    """The quarantine beside the planted truth."""
    output.table(
        "verified",
        ("dataset", "planted", "found", "missed", "wrong"),
        [(d, v.planted, v.found, len(v.missed), len(v.wrong)) for d, v in found.items()],
    )
    kinds = {rule for v in found.values() for _, rule in v.kinds}
    total = sum(v.planted for v in found.values())
    said = "quarantine is exact" if exact else "quarantine DIFFERS"
    output.say(f"{total:,} planted defects of {len(kinds)} kinds: {said}")
    for dataset, verdict in found.items():
        for name, rows in (("missed", verdict.missed), ("wrong", verdict.wrong)):
            for _, reasons in rows[:5]:
                output.say(f"{dataset}: {name}: {reasons}")


def inboxes(found: Mapping[str, InboxVerdict], when: str) -> None:
    """What consumers hold beside what their agreements say.

    Args:
        found: by agreement.
        when: that was looked at, e.g. `night 3`.
    """
    output.table(
        f"{when}: inboxes verified",
        ("agreement", "granted", "held", "missing", "differing", "extra"),
        [(n, v.granted, v.held, v.missing, v.differing, v.extra) for n, v in found.items()],
    )
    wrong = sum(not v.same for v in found.values())
    state = "each as its agreement says" if not wrong else f"{wrong} DIFFER"
    output.say(f"{len(found)} inboxes: {state}")


def lost_card(found: Reported) -> None:
    """When each consumer confirmed that a card was reported lost, and what it holds of it."""
    output.table(
        "live: one card is reported lost at the counter; seconds from there to each confirmation",
        ("agreement", "consumer", "over", "seconds", "its inbox says now"),
        [(t.agreement, t.consumer, t.way, *_told(t)) for t in found.told],
    )
    confirmed = [t.seconds for t in found.told if t.seconds is not None]
    registry = "never" if found.published is None else f"after {found.published:.1f} s"
    output.say(
        f"the counter's wake-up was answered {found.answer}; in the registry {registry}, the last"
        f" of {len(confirmed)} consumers confirmed after {max(confirmed, default=0.0):.1f} s; the"
        f" lane ended with exit code {found.exit_code} ({found.log})"
    )


def _told(line: Told) -> tuple[str, str]:
    """Seconds and contents of one inbox, or why there are none."""
    if line.right and not line.granted:
        return "", "nothing: it does not serve the holder"
    seconds = "NOT confirmed" if line.seconds is None else f"{line.seconds:.2f}"
    return seconds, line.holds or "NOT what it should"


def questions(found: Questions) -> None:
    """How each question was answered and how fast; nothing of whom it was about."""
    output.table(
        "asked: about one person under each agreement; milliseconds to the answer",
        ("agreement", "consumer", "mode", "outcome", "ms", "repeated ms", "proved"),
        [
            (
                a.agreement,
                a.consumer,
                a.mode,
                a.outcome or f"NOT answered ({a.code})",
                round(1_000 * a.seconds),
                round(1_000 * a.again_s),
                _proved(a),
            )
            for a in found.answers
        ],
    )
    output.say(
        f"a question for another purpose was refused with {found.refused}; the resident's own"
        f" look-up lists {found.entries} disclosures, {found.calls} of them calls"
    )


def _proved(answer: Answer) -> str:
    return "signature, receipt, repetition" if answer.proved else "NOT proved"


def proof(found: Proof) -> None:
    """Who received one resident's data, and whether audit log and receipts hold."""
    number, lines = found.resident
    columns = ("at", "consumer", "agreement", "purpose", "status")
    title = f"who received data of resident {number}"
    output.table(title, columns, [[line[c] for c in columns] for line in lines])
    verdict = found.verdict
    state = "verified" if verdict.ok else f"NOT verified: {verdict.problem}"
    output.say(f"audit log of {verdict.entries} entries: {state}")
    output.say(f"receipts: {found.receipted} valid of {found.deliveries} deliveries")


def _collected(transfers: Iterable[Transfer], day: int) -> None:
    output.table(
        f"night {day}: collected",
        ("dataset", "status", "read", "published", "unchanged", "quarantined", "dedup.", "seconds"),
        [
            (
                t.subject,
                t.status,
                t.counts.rows_read,
                t.counts.published,
                t.counts.unchanged,
                t.counts.quarantined,
                t.counts.deduplicated,
                t.seconds,
            )
            for t in transfers
        ],
    )


def _delivered(hub: Hub, transfers: Iterable[Transfer], day: int) -> None:
    output.table(
        f"night {day}: delivered",
        ("agreement", "consumer", "over", "status", "rows", "seconds"),
        [
            (t.subject, *_consumer_and_way(hub, t.subject), t.status, t.sent_rows, t.seconds)
            for t in transfers
        ],
    )


def _consumer_and_way(hub: Hub, agreement: str) -> tuple[str, str]:
    found = hub.catalogue.agreement(agreement)
    way = hub.connections.get(found.delivery.connection).conn_type if found.delivery else ""
    return hub.catalogue.agencies[found.consumer].short, way
