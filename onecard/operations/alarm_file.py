"""Who is told of what: the YAML file that ONECARD_ALARMS names. It belongs to the installation.

    kinds: [late, volume, held, failing, lane, unblocked, misuse, slow]  # default: these
    channels:
      - {kind: email, connection: alarm_mail, from: hub@example.org, to: [duty@example.org]}
      - {kind: webhook, connection: alarm_hook, path: /hooks/onecard}
    tickets:                                             # people in charge of tickets
      portal: https://hub.example.org/onecard            # where its pages are
      mail: {connection: alarm_mail, from: hub@example.org}
      people: {li.health: li@health.example.org}         # by user name of the portal
      agencies:
        health: {to: [quality@health.example.org], webhook: {connection: health_hook}}

Logins stand in connections (`AIRFLOW_CONN_ALARM_MAIL`): host, port, login, password, and in
`extra` `tls: starttls` (default) or `tls: tls`, and `ca` for a certificate authority of one's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from onecard.base.frozen import Frozen
from onecard.base.settings import alarm_file
from onecard.operations.attention import IssueKind
from schemas.models.strict_yaml import parse
from schemas.models.values import Name, build

Address = Annotated[str, Field(pattern=r"^[^@\s,<>]+@[^@\s,<>]+$")]
"""Of a mailbox."""


class Email(Frozen):
    """A mailbox; the connection names the server."""

    kind: Literal["email"]
    connection: Name
    from_: Address = Field(alias="from")
    to: tuple[Address, ...] = Field(min_length=1)


class Webhook(Frozen):
    """An HTTPS endpoint that takes JSON; the connection's password is sent as a bearer token."""

    kind: Literal["webhook"] = "webhook"
    connection: Name
    path: str = Field(default="/", pattern=r"^/")


Channel = Annotated[Email | Webhook, Field(discriminator="kind")]


class TicketMail(Frozen):
    """The mail server by its connection, and the sender."""

    connection: Name
    from_: Address = Field(alias="from")


class AgencyChannels(Frozen):
    """How an agency is told of its tickets."""

    to: tuple[Address, ...] = ()
    webhook: Webhook | None = None


class TicketChannels(Frozen):
    """How people in charge of tickets are told.

    Attributes:
        portal: address of the portal's start page; empty: messages name no page.
        mail: how mail is sent; None: no mail, webhooks only.
        people: addresses by user name of the portal; of others their agency is told.
        agencies: by id.
    """

    portal: str = Field(default="", pattern=r"^(?:https?://[^\s?#@]+)?$")
    mail: TicketMail | None = None
    people: Mapping[str, Address] = Field(default_factory=dict)
    agencies: Mapping[str, AgencyChannels] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _has_a_server(self) -> Self:
        if self.mail is None and (self.people or any(a.to for a in self.agencies.values())):
            msg = "alarms.mail: `mail` is missing: addresses need a mail server and a sender"
            raise ValueError(msg)
        return self


class AlarmFile(Frozen):
    """The whole file."""

    kinds: tuple[IssueKind, ...] = (
        *("late", "volume", "held", "failing"),
        *("lane", "unblocked", "misuse", "slow"),
    )
    channels: tuple[Channel, ...] = ()
    tickets: TicketChannels | None = None

    @model_validator(mode="after")
    def _tells_somebody(self) -> Self:
        if not self.channels and self.tickets is None:
            msg = "alarms.nobody: name one or more `channels`, or `tickets`"
            raise ValueError(msg)
        return self


def configured(environment: Mapping[str, str] | None = None) -> AlarmFile | None:
    """The settings file, or None when nobody wants to be told.

    Raises:
        InvalidFile: with file, line, field, rule and the valid choices.
    """
    file = alarm_file(environment)
    if file is None:
        return None
    document = parse(file)
    return build(AlarmFile, document.data, document)
