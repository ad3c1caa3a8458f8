"""UsernameToken (WS-Security 1.1.1): a header of each message, as a `requests` auth hook."""

from __future__ import annotations

import requests

from connectors.http.auth import Renewable
from connectors.soap.options import UsernameToken
from onecard.base.connections import Connection
from onecard.base.extras import extra
from onecard.errors import ConfigError

with extra("soap"):
    from lxml import etree
    from zeep.wsse.username import UsernameToken as ZeepToken


class MessageToken(Renewable):
    """Puts the login into the envelope of every request, each with a nonce of its own."""

    def __init__(self, connection: Connection, options: UsernameToken) -> None:
        """Take the login.

        Args:
            connection: login and password.
            options: how the password is told.
        """
        if not connection.login or connection.secret is None:
            msg = (
                f"connection {connection.id!r} has no login or password; {options.kind} needs both"
            )
            raise ConfigError(msg)
        self._login, self._secret = connection.login, connection.secret
        self._digest = options.password == "digest"  # noqa: S105 - the form of one
        self._id = connection.id

    def __call__(self, r: requests.PreparedRequest) -> requests.PreparedRequest:
        """Put the header into the body, which is the envelope that is to be sent."""
        envelope = etree.fromstring(r.body)
        token = ZeepToken(self._login, self._secret, use_digest=self._digest, zulu_timestamp=True)
        try:
            envelope, _ = token.apply(envelope, {})
        except ValueError:
            msg = f"connection {self._id!r}: login or password holds what no XML can carry"
            raise ConfigError(msg) from None
        body = etree.tostring(envelope, xml_declaration=True, encoding="UTF-8")
        r.prepare_body(body, None)
        return r
