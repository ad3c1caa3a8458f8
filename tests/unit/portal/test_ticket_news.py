"""News of tickets: over a real mail server and webhook, once each, whatever is down meanwhile."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path

import pytest

from onecard.app.hub_desk import HubDesk
from onecard.base import workdays
from onecard.base.connections import EnvironmentConnections
from onecard.base.times import ZONE
from onecard.base.workdays import Due
from onecard.errors import ConfigError, SourceUnavailable
from onecard.model.tickets import Acting, Answer
from onecard.operations import alarm_channels, alarm_file, housekeeping, ticket_news
from onecard.operations.alarms import Sender, Told
from onecard.operations.ticket_message import TicketMessage
from onecard.store import ticket_notices, tickets
from schemas.models.problem import InvalidFile
from tests import mail_box, webhook
from tests.mail_box import Mailbox, mail, mail_server
from tests.unit.portal.conftest import NOW, Portal, challenge
from tests.unit.portal.test_ticket_desk import PERSON, opened, step
from tests.webhook import Hook, to_hook

FILE = """\
tickets:
  portal: https://hub.example.org/onecard
  mail: {connection: alarm_mail, from: hub@example.org}
  people: {li.health: li@health.example.org, hrss: wang@hrss.example.org}
  agencies:
    health: {to: [quality@health.example.org], webhook: {connection: alarm_hook, path: /tickets}}
"""
FAR = NOW.date() + timedelta(days=14)
HEALTH, LI, WANG = "quality@health.example.org", "li@health.example.org", "wang@hrss.example.org"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return mail_box.certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def post(certificate: Path) -> Iterator[tuple[Mailbox, int]]:
    """One mail server for all tests of this file."""
    with mail_server(certificate) as found:
        yield found


@pytest.fixture
def box(post: tuple[Mailbox, int]) -> Mailbox:
    found, _ = post
    found.mails.clear()
    found.refuse = False
    found.strangers.clear()
    return found


@pytest.fixture
def hook() -> Iterator[Hook]:
    with webhook.listening() as server:
        yield server


@pytest.fixture
def desk(
    portal: Portal,
    box: Mailbox,
    post: tuple[Mailbox, int],
    hook: Hook,
    certificate: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[..., HubDesk]:
    """Makes the hub at a moment; the portal tells with it, and what others left is told already."""
    file = portal.home / "alarms.yaml"
    file.write_text(FILE, encoding="utf-8")
    monkeypatch.setenv("ONECARD_ALARMS", str(file))
    where = mail(post[1], certificate) | to_hook(hook)

    def make(now: datetime = NOW) -> HubDesk:
        update = {"database_url": portal.address, "fixed_now": now}
        settings = portal.site.settings.model_copy(update=update)
        return HubDesk(settings, EnvironmentConnections(where))

    with portal.connect() as connection:
        connection.execute("TRUNCATE ledger.ticket_notice CASCADE")
    portal.site = replace(portal.site, desk=make)
    ticket_news.tell(make())  # deadlines of other tests' tickets
    box.mails.clear()
    hook.bodies.clear()
    return make


def told(box: Mailbox) -> list[tuple[str, str]]:
    """Whom, and of what, in words."""
    return [told_of(m) for m in box.mails]


def of(box: Mailbox, number: int) -> list[tuple[str, str]]:
    """The same of one ticket only."""
    return [told_of(m) for m in box.mails if f"#{number}：" in str(m["Subject"])]


def fresh(portal: Portal, due: date = FAR) -> int:
    """A ticket whose deadline is far."""
    with portal.connect() as connection:
        return tickets.open_ticket(connection, replace(challenge("不对", "health"), due_on=due))


def test_each_step_is_told_once_to_whom_it_concerns(
    portal: Portal, desk: Callable[..., HubDesk], box: Mailbox, hook: Hook
) -> None:
    number = fresh(portal)
    ticket_news.tell(desk())
    assert told(box) == [(HEALTH, "有新的异议工单，请受理并答复")]
    box.mails.clear()
    step(portal, "health", number, "hand_over", owner="li.health")
    step(portal, "health", number, "answer", outcome="confirmed", text="无误")
    step(portal, "hrss", number, "reopen", reason="仍不对")
    step(portal, "health", number, "answer", outcome="corrected", text="已更正")
    step(portal, "hrss", number, "close", how="reason", reason="电话核实")
    assert told(box) == [
        (LI, "工单已转交，请答复"),
        (LI, "工单已答复"),
        (WANG, "工单已答复"),
        (LI, "工单被重新提出，请再次答复"),
        (LI, "工单已答复"),
        (WANG, "工单已答复"),
        (LI, "工单已办结"),
    ]
    events = [b["ticket"]["event"] for b in hook.bodies]
    assert events == [
        *("opened", "handed_over", "answered", "reopened", "answered", "closed"),
    ]
    for _ in range(2):
        assert ticket_news.tell(desk()) == []
    assert len(box.mails) == 7
    assert len({str(m["Message-ID"]) for m in box.mails}) == 7


def test_a_message_names_ticket_dataset_deadline_and_page_and_nothing_else(
    portal: Portal, desk: Callable[..., HubDesk], box: Mailbox, hook: Hook
) -> None:
    form = {"key-person_id18": PERSON, "statement": "死亡日期不对，应为三月"}
    assert opened(portal, **form)[0] == 200
    (first,) = box.mails
    with portal.connect() as connection:
        found = max(tickets.listed(connection, None), key=lambda t: t.id)
    said = first.get_content()
    page = f"https://hub.example.org/onecard/health/tickets/{found.id}"
    for part in (f"工单：#{found.id}", "死亡登记通报", f"答复期限：{found.due_on}", page):
        assert part in said
    for part in (f"Ticket: {found.id}", "Dataset: health/death_notice", "Answer due: 2026-12-08"):
        assert part in said
    assert str(first["Auto-Submitted"]) == "auto-generated"
    (body,) = hook.bodies
    assert body["ticket"] == {
        "number": found.id,
        "event": "opened",
        "dataset": "health/death_notice",
        "due_on": "2026-12-08",
        "agency": "health",
        "page": page,
    }
    everything = said + str(first["Subject"]) + json.dumps(body, ensure_ascii=False)
    for hidden in (PERSON, found.shown_key, found.reference, "应为三月", "person_id18"):
        assert hidden not in everything


def test_a_deadline_is_told_two_working_days_before_and_when_it_is_over(
    portal: Portal, desk: Callable[..., HubDesk], box: Mailbox
) -> None:
    number = fresh(portal, due=date(2026, 12, 8))  # a Tuesday
    ticket_news.tell(desk())
    box.mails.clear()

    def on(month: int, day: int) -> list[tuple[str, str]]:
        box.mails.clear()
        ticket_news.tell(desk(datetime(2026, month, day, 9, tzinfo=ZONE)))
        return of(box, number)

    assert on(12, 3) == []
    assert on(12, 4) == [(HEALTH, "工单即将到期，请答复")]  # Friday: Monday and Tuesday are left
    assert on(12, 7) == []
    assert on(12, 8) == []  # the due day itself is in time
    step(portal, "health", number, "hand_over", owner="li.health")
    assert on(12, 9) == [(LI, "工单已逾期，请立即答复"), (HEALTH, "工单已逾期，请立即答复")]
    assert on(12, 10) == []
    step(portal, "health", number, "answer", outcome="confirmed", text="无误")
    step(portal, "hrss", number, "reopen", reason="仍不对")  # a new deadline, 1 December
    assert on(12, 2) == [(LI, "工单已逾期，请立即答复"), (HEALTH, "工单已逾期，请立即答复")]


def told_of(mail: EmailMessage) -> tuple[str, str]:
    return str(mail["To"]), str(mail["Subject"]).partition("：")[2].partition(" (")[0]


def test_housekeeping_reminds(portal: Portal, desk: Callable[..., HubDesk], box: Mailbox) -> None:
    fresh(portal, due=NOW.date())
    housekeeping.keep_house(desk())
    assert sorted(line for _, line in told(box)) == [
        "工单即将到期，请答复",
        "有新的异议工单，请受理并答复",
    ]


def test_a_server_that_is_down_loses_nothing_and_holds_up_nobody(
    portal: Portal,
    desk: Callable[..., HubDesk],
    box: Mailbox,
    hook: Hook,
    caplog: pytest.LogCaptureFixture,
) -> None:
    box.refuse = True
    caplog.set_level(logging.WARNING)
    number = fresh(portal)
    code, page = step(portal, "health", number, "acknowledge")  # the step is done all the same
    assert (code, "已受理" in page) == (200, True)
    assert "news of tickets wait: tickets:alarm_mail: SourceUnavailable" in caplog.text
    assert len(hook.bodies) == 1  # the other way works
    (failed, fine) = ticket_news.tell(desk()), len(hook.bodies)
    assert [(t.channel, t.new, bool(t.problem)) for t in failed] == [
        ("tickets:alarm_mail", 0, True)
    ]
    assert fine == 1
    housekeeping.keep_house(desk())  # neither does it stop the house
    box.refuse = False
    assert ticket_news.tell(desk()) == [Told("tickets:alarm_mail", 1, 0)]
    assert told(box) == [(HEALTH, "有新的异议工单，请受理并答复")]
    assert len(hook.bodies) == 1
    assert ticket_news.tell(desk()) == []


@pytest.mark.parametrize("stranger", [HEALTH, "质量@health.example.org"])
def test_an_address_that_is_refused_holds_up_no_other(
    portal: Portal, desk: Callable[..., HubDesk], box: Mailbox, stranger: str
) -> None:
    file = portal.home / "alarms.yaml"
    file.write_text(FILE.replace(HEALTH, stranger), encoding="utf-8")
    box.strangers[stranger] = "550 no such mailbox"
    numbers = [fresh(portal, due=NOW.date()) for _ in range(ticket_news.FAILURES + 2)]
    with portal.connect() as connection:
        tickets.hand_over(connection, numbers[-1], "li.health", Acting("li.health", NOW))
    (_, found) = ticket_news.tell(desk())
    assert sorted(line for line in told(box) if line[1] != "有新的异议工单，请受理并答复") == [
        (LI, "工单即将到期，请答复"),
        (LI, "工单已转交，请答复"),
    ]
    assert found.channel == "tickets:alarm_mail"
    assert found.problem.startswith(f"mail:{stranger}: ReceiverRefused: mail server of connection")
    assert found.problem.count(stranger) == 1
    box.strangers.clear()
    file.write_text(FILE, encoding="utf-8")
    ticket_news.tell(desk())
    assert len([to for to, _ in told(box) if to == HEALTH]) == 2 * (len(numbers) - 1)
    assert ticket_news.tell(desk()) == []


def test_a_server_that_closes_is_no_refusal_of_an_address(
    portal: Portal, desk: Callable[..., HubDesk], box: Mailbox
) -> None:
    box.strangers[HEALTH] = "421 closing"
    fresh(portal)
    (_, found) = ticket_news.tell(desk())
    assert found.problem.startswith("SourceUnavailable: ")


@pytest.mark.parametrize(
    ("status", "tried"), [(404, 1), (500, ticket_news.FAILURES), (429, ticket_news.FAILURES)]
)
def test_a_webhook_that_takes_nothing_is_no_dead_server(
    portal: Portal, desk: Callable[..., HubDesk], hook: Hook, status: int, tried: int
) -> None:
    hook.status = status
    for _ in range(ticket_news.FAILURES + 2):
        fresh(portal)
    ticket_news.tell(desk())
    with portal.connect() as connection:
        failed = connection.execute("SELECT sum(tries) FROM ledger.ticket_notice").fetchone()
    assert failed == (tried,)


def test_what_a_dead_connection_has_not_tried_comes_first_in_the_next_round(
    portal: Portal, desk: Callable[..., HubDesk]
) -> None:
    numbers = [fresh(portal) for _ in range(2 * ticket_news.FAILURES + 2)]
    bad, sent = set(numbers[: ticket_news.FAILURES]), list[int]()

    def send(_connection: object, _channel: object, news: TicketMessage) -> None:
        if news.ticket in bad:
            msg = "mailbox full"
            raise SourceUnavailable(msg)
        sent.append(news.ticket)

    senders: dict[str, Sender] = {"email": send, "webhook": lambda *_: None}
    ticket_news.tell(desk(), senders)
    assert sent == []
    ticket_news.tell(desk(), senders)
    assert sent == numbers[ticket_news.FAILURES :]


def test_two_senders_at_once_send_each_notice_once(
    portal: Portal, desk: Callable[..., HubDesk], box: Mailbox
) -> None:
    for _ in range(4):
        fresh(portal)
    begin = threading.Barrier(3)

    def one() -> None:
        begin.wait()
        ticket_news.tell(desk())

    threads = [threading.Thread(target=one) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(box.mails) == 4


def test_a_process_that_dies_after_sending_sends_again_under_the_same_mark(
    portal: Portal, desk: Callable[..., HubDesk], box: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh(portal)
    monkeypatch.setattr(ticket_notices, "note_receiver", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        ticket_news.tell(desk())
    monkeypatch.undo()
    monkeypatch.setenv("ONECARD_ALARMS", str(portal.home / "alarms.yaml"))
    ticket_news.tell(desk())
    first, again = box.mails
    assert str(first["Message-ID"]) == str(again["Message-ID"])


def test_who_was_told_before_a_process_dies_is_not_told_again(
    portal: Portal, desk: Callable[..., HubDesk], box: Mailbox, hook: Hook
) -> None:
    fresh(portal)

    def die(*_: object) -> None:
        raise SystemExit

    with pytest.raises(SystemExit):
        ticket_news.tell(desk(), {"email": alarm_channels.email, "webhook": die})
    ticket_news.tell(desk())
    assert (len(box.mails), len(hook.bodies)) == (1, 1)


def test_no_row_and_no_transaction_waits_for_a_mail(
    portal: Portal, desk: Callable[..., HubDesk]
) -> None:
    fresh(portal)
    found: list[object] = []

    def send(*_: object) -> None:
        with portal.connect() as connection, connection.transaction():
            connection.execute("SELECT FROM ledger.ticket_notice FOR UPDATE NOWAIT")
            found.extend(
                connection.execute(
                    "SELECT pid FROM pg_stat_activity WHERE datname = current_database()"
                    " AND pid <> pg_backend_pid() AND state LIKE 'idle in transaction%'"
                )
            )

    assert [t.problem for t in ticket_news.tell(desk(), {"email": send, "webhook": send})] == [
        "",
        "",
    ]
    assert found == []


def test_what_is_so_no_more_is_not_told(
    portal: Portal, desk: Callable[..., HubDesk], box: Mailbox
) -> None:
    answered, shut, again = (fresh(portal, due=NOW.date()) for _ in range(3))
    box.refuse = True
    ticket_news.tell(desk())  # of each: it waits for an answer, and soon
    with portal.connect() as connection:
        for number in (answered, shut, again):
            tickets.answer(connection, number, Answer("confirmed", "无误"), Acting("li", NOW))
        evidence = {"without_correction": "核实"}
        tickets.close(connection, shut, evidence, Acting("hrss", NOW))
        due = Due(FAR, "holidays")
        tickets.reopen(connection, again, "仍不对", due, Acting("hrss", NOW))
    box.refuse = False
    ticket_news.tell(desk())
    by_ticket = {number: sorted(of(box, number)) for number in (answered, shut, again)}
    over = [(HEALTH, "工单已答复"), (WANG, "工单已答复")]
    assert by_ticket == {
        answered: over,
        shut: [(HEALTH, "工单已办结"), *over],
        again: [(HEALTH, "工单被重新提出，请再次答复"), (HEALTH, "有新的异议工单，请受理并答复")],
    }
    assert ticket_news.tell(desk()) == []


def test_soon_is_over_when_it_is_overdue(
    portal: Portal, desk: Callable[..., HubDesk], box: Mailbox
) -> None:
    number = fresh(portal, due=NOW.date())
    box.refuse = True
    ticket_news.tell(desk())
    box.refuse = False
    ticket_news.tell(desk(NOW + timedelta(days=1)))
    assert sorted(of(box, number)) == [
        (HEALTH, "工单已逾期，请立即答复"),
        (HEALTH, "有新的异议工单，请受理并答复"),
    ]


def test_a_step_looks_at_no_deadline(
    portal: Portal, desk: Callable[..., HubDesk], box: Mailbox
) -> None:
    number = fresh(portal, due=NOW.date())
    step(portal, "health", number, "acknowledge")
    assert [line for _, line in told(box)] == ["有新的异议工单，请受理并答复"]
    ticket_news.tell(desk())
    assert [line for _, line in told(box)][1:] == ["工单即将到期，请答复"]


def test_soon_is_two_working_days_on_every_day_of_two_years() -> None:
    for n in range(730):
        today = date(2026, 1, 1) + timedelta(days=n)
        last = ticket_news.last_soon(today)
        assert workdays.between(today, last) == ticket_news.DAYS_BEFORE
        assert workdays.between(today, last + timedelta(days=1)) > ticket_news.DAYS_BEFORE


def test_what_is_a_month_old_is_no_news(
    portal: Portal, desk: Callable[..., HubDesk], box: Mailbox
) -> None:
    number = fresh(portal, due=date(2027, 6, 1))
    ticket_news.tell(desk(NOW + ticket_news.STALE + timedelta(hours=1)))
    assert of(box, number) == []
    ticket_news.tell(desk())
    assert of(box, number) == []


def test_nobody_is_told_where_nobody_is_named(
    portal: Portal, desk: Callable[..., HubDesk], box: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh(portal)
    file = portal.home / "alarms.yaml"
    file.write_text("channels: [{kind: webhook, connection: alarm_hook}]\n")
    assert ticket_news.tell(desk()) == []
    monkeypatch.delenv("ONECARD_ALARMS")
    assert ticket_news.tell(desk()) == []
    monkeypatch.setenv("ONECARD_ALARMS", str(file))
    file.write_text(FILE)
    ticket_news.tell(desk())
    assert len(box.mails) == 1  # it has waited


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("tickets: {people: {li: li@x.org}}\n", "mail"),
        ("tickets: {agencies: {health: {to: [li@x.org]}}}\n", "mail"),
        ("tickets: {mail: {connection: m, from: x}}\n", "from"),
        ("tickets: {portal: 'javascript:alert(1)'}\n", "portal"),
        ("tickets: {mail: {connection: m, from: a@b}, people: {li: 'a@b, c@d'}}\n", "people"),
        ("tickets: {agencies: {health: {webhook: {path: /x}}}}\n", "connection"),
        ("kinds: [late]\n", "channels"),
    ],
)
def test_a_broken_file_names_its_field(tmp_path: Path, text: str, where: str) -> None:
    file = tmp_path / "alarms.yaml"
    file.write_text(text)
    with pytest.raises(InvalidFile, match=where):
        alarm_file.configured({"ONECARD_ALARMS": str(file)})


def test_an_agency_that_is_not_there_is_named(portal: Portal, desk: Callable[..., HubDesk]) -> None:
    (portal.home / "alarms.yaml").write_text("tickets: {agencies: {helth: {}}}\n")
    with pytest.raises(ConfigError, match="unknown agency 'helth'; did you mean health"):
        ticket_news.tell(desk())


def test_alarms_and_tickets_stand_in_one_file(portal: Portal, desk: Callable[..., HubDesk]) -> None:
    assert alarm_channels.tell(desk()) == []  # no channels for alarms: nobody is told of those


def test_who_is_told_by_kind() -> None:
    wanted = alarm_file.TicketChannels.model_validate(
        {
            "mail": {"connection": "m", "from": "hub@x.org"},
            "people": {"li": "li@x.org"},
            "agencies": {"health": {"to": ["a@x.org", "b@x.org"]}, "hrss": {"to": ["c@x.org"]}},
        }
    )
    notice = ticket_notices.Notice(
        *(1, "opened", NOW, NOW.date(), 7, "health", "hrss", "wang", "", "health/death_notice"),
        *("open", NOW.date()),
    )

    def names(**changes: str) -> list[str]:
        found = ticket_news.receivers(replace(notice, **changes), wanted)
        return [r.name.partition(":")[2] for r in found]

    assert names() == ["a@x.org", "b@x.org"]
    assert names(owner="li") == ["li@x.org"]
    assert names(owner="somebody") == ["a@x.org", "b@x.org"]
    assert names(owner="li", kind="overdue") == ["li@x.org", "a@x.org", "b@x.org"]
    assert names(owner="li", kind="answered") == ["li@x.org", "c@x.org"]


def test_the_act_of_an_answer_stands_without_anybody_to_tell(portal: Portal) -> None:
    number = portal.ticket()
    with portal.connect() as connection:
        tickets.answer(connection, number, Answer("confirmed", "无误"), Acting("health", NOW))
    assert step(portal, "hrss", number, "close", how="reason", reason="核实")[0] == 200
