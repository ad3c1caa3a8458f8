"""What people in charge are told: ticket, dataset, deadline, page; no value of a row."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from onecard.store.ticket_notices import NoticeKind

CHINESE: dict[NoticeKind, str] = {
    "opened": "有新的异议工单，请受理并答复",
    "handed_over": "工单已转交，请答复",
    "answered": "工单已答复",
    "closed": "工单已办结",
    "reopened": "工单被重新提出，请再次答复",
    "due_soon": "工单即将到期，请答复",
    "overdue": "工单已逾期，请立即答复",
}
ENGLISH: dict[NoticeKind, str] = {
    "opened": "a new ticket waits for your answer",
    "handed_over": "a ticket was handed over and waits for an answer",
    "answered": "a ticket was answered",
    "closed": "a ticket was closed",
    "reopened": "a ticket was opened again and waits for another answer",
    "due_soon": "a ticket must be answered soon",
    "overdue": "a ticket is overdue",
}


@dataclass(frozen=True, slots=True)
class TicketMessage:
    """One notice, as one agency is told of it.

    Attributes:
        mark: the same whenever the same receiver is told of the same notice.
        title_of_dataset: in Chinese.
        agency: whose page is named.
        page: its address; empty where the portal's is not known.
    """

    at: datetime
    mark: str
    kind: NoticeKind
    ticket: int
    dataset: str
    title_of_dataset: str
    due_on: date
    agency: str
    page: str

    @property
    def title(self) -> str:
        """One line for a subject."""
        return (
            f"[一卡通] 工单 #{self.ticket}：{CHINESE[self.kind]}"
            f" (ticket {self.ticket}: {ENGLISH[self.kind]})"
        )

    @property
    def text(self) -> str:
        """All of it, for people."""
        return "\n".join(
            (
                f"{CHINESE[self.kind]}。",
                f"工单：#{self.ticket}",
                f"数据资源：{self.title_of_dataset}",
                f"答复期限：{self.due_on}",
                f"办理：{self.page or '请登录数据专员门户'}",
                "",
                f"{ENGLISH[self.kind].capitalize()}.",
                f"Ticket: {self.ticket}",
                f"Dataset: {self.dataset}",
                f"Answer due: {self.due_on}",
                f"Page: {self.page or 'log in to the portal of the data stewards'}",
                "",
            )
        )

    def body(self) -> dict[str, object]:
        """The same for a program, as JSON."""
        return {
            "title": self.title,
            "text": self.text,
            "at": self.at.isoformat(),
            "id": self.mark,
            "ticket": {
                "number": self.ticket,
                "event": self.kind,
                "dataset": self.dataset,
                "due_on": self.due_on.isoformat(),
                "agency": self.agency,
                "page": self.page,
            },
        }
