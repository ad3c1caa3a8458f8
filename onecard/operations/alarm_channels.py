"""How an alarm leaves: SMTP with TLS, or an HTTPS request; nothing in the clear but on loopback."""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Collection
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid

import requests

from onecard.base.connections import Connection
from onecard.errors import ConfigError, SourceUnavailable, unknown
from onecard.operations import alarms
from onecard.operations.alarm_file import Email, Webhook, configured
from onecard.operations.alarm_news import Message
from onecard.operations.alarms import Sender
from onecard.operations.attention import IssueKind
from onecard.ports.desk import Desk

SECONDS = 15
_CLOSING, _LATER = 421, (408, 429)
LOOPBACK = ("127.0.0.1", "::1", "localhost")


class ReceiverRefused(SourceUnavailable):
    """The other side answers, and takes nothing for this one; it may for others."""


def email(connection: Connection, channel: Email, news: Message) -> None:
    """Send one mail to all addresses of the channel.

    Args:
        connection: of the mail server.
        channel: sender and addresses.
        news: what is told.

    Raises:
        SourceUnavailable: the server cannot be reached, speaks no TLS, or refuses.
        ReceiverRefused: it takes nothing for these addresses.
        ConfigError: the login is refused, or `extra.tls` is neither starttls nor tls.
    """
    message = EmailMessage()
    message["Subject"], message["From"] = news.title, channel.from_
    message["To"] = ", ".join(channel.to)
    message["Date"] = format_datetime(news.at)
    domain = channel.from_.rpartition("@")[2]
    message["Message-ID"] = f"<{news.mark}@{domain}>" if news.mark else make_msgid(domain=domain)
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(news.text)
    where = f"mail server of connection {connection.id!r}"
    try:
        with _smtp(connection) as server:
            if connection.login:
                server.login(connection.login, connection.secret or "")
            server.send_message(message)
    except smtplib.SMTPAuthenticationError:
        msg = f"{where}: login refused"
        raise ConfigError(msg) from None
    except (smtplib.SMTPException, OSError) as error:
        if _only_refused(error, channel):
            msg = f"{where}: takes nothing for this address ({type(error).__name__})"
            raise ReceiverRefused(msg) from None
        msg = f"{where}: could not be told ({type(error).__name__})"
        raise SourceUnavailable(msg) from None


def _only_refused(error: Exception, channel: Email) -> bool:
    """Whether a server refuses addresses, and not everything for now (421: it closes)."""
    if isinstance(error, smtplib.SMTPNotSupportedError):
        return not "".join(channel.to).isascii()  # of its letters
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return all(code != _CLOSING for code, _ in error.recipients.values())
    return isinstance(error, smtplib.SMTPDataError) and error.smtp_code >= 500


def _smtp(connection: Connection) -> smtplib.SMTP:
    mode = str(connection.extra.get("tls", "starttls"))
    if mode not in ("starttls", "tls"):
        what = f"connection {connection.id!r}: " + unknown("tls", mode, ("starttls", "tls"))
        raise ConfigError(what)
    authority = connection.extra.get("ca")
    context = ssl.create_default_context(cafile=str(authority) if authority else None)
    host = connection.host or ""
    if mode == "tls":
        return smtplib.SMTP_SSL(host, connection.port or 465, timeout=SECONDS, context=context)
    server = smtplib.SMTP(host, connection.port or 587, timeout=SECONDS)
    try:
        server.starttls(context=context)
    except BaseException:
        server.close()
        raise
    return server


def webhook(connection: Connection, channel: Webhook, news: Message) -> None:
    """POST a message as JSON.

    Args:
        connection: of the endpoint; its password is the bearer token.
        channel: the path.
        news: what is told.

    Raises:
        SourceUnavailable: no answer, or any but 2xx.
        ReceiverRefused: 3xx or 4xx, but for those that ask for a later try.
        ConfigError: the endpoint is not HTTPS and not on this machine, or refuses the login.
    """
    where = f"webhook of connection {connection.id!r}"
    authority = connection.extra.get("ca")
    try:
        with requests.Session() as session:
            session.trust_env = False
            reply = session.post(
                _url(connection, channel.path),
                json=news.body(),
                headers={"Authorization": f"Bearer {connection.secret}"}
                if connection.secret
                else {},
                timeout=SECONDS,
                allow_redirects=False,
                verify=str(authority) if authority else True,
            )
    except requests.RequestException as error:
        msg = f"{where}: could not be told ({type(error).__name__})"
        raise SourceUnavailable(msg) from None
    if reply.status_code in (401, 403):
        msg = f"{where}: HTTP {reply.status_code}, login refused"
        raise ConfigError(msg)
    if 300 <= reply.status_code < 500 and reply.status_code not in _LATER:
        msg = f"{where}: HTTP {reply.status_code}, takes nothing here"
        raise ReceiverRefused(msg)
    if not 200 <= reply.status_code < 300:
        msg = f"{where}: HTTP {reply.status_code}"
        raise SourceUnavailable(msg)


def _url(connection: Connection, path: str) -> str:
    secure = "https" in (connection.conn_type, connection.schema_)
    host = connection.host or ""
    if not secure and host not in LOOPBACK:
        msg = f"connection {connection.id!r}: a webhook beyond this machine needs https"
        raise ConfigError(msg)
    port = f":{connection.port}" if connection.port else ""
    return f"{'https' if secure else 'http'}://{host}{port}{path}"


SENDERS: dict[str, Sender] = {"email": email, "webhook": webhook}


def tell(desk: Desk, kinds: Collection[IssueKind] | None = None) -> list[alarms.Told]:
    """Send what there is to tell; nothing where ONECARD_ALARMS is not set.

    Args:
        desk: the hub.
        kinds: only these; None: all.
    """
    wanted = configured()
    return alarms.send(desk, wanted, SENDERS, kinds) if wanted else []
