"""A client of the service, as a caller's system would have it: signs and sends."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import requests

from onecard.base.endpoints import is_here
from onecard.base.platform_signature import Credential, bound, signed_headers
from onecard.errors import ConfigError, ProtocolError, SourceUnavailable

PATIENCE_S = 30.0


@dataclass(frozen=True, slots=True)
class Asking:
    """What a call says beside the person.

    Attributes:
        operator: who asks.
        purpose: the agreement's.
        case: number of the case.
        request_id: the same when a call is repeated.
    """

    operator: str
    purpose: str
    case: str
    request_id: str = field(default_factory=lambda: uuid.uuid4().hex)

    def body(self, person: Mapping[str, str], values: Mapping[str, str]) -> bytes:
        """The body of a call.

        Args:
            person: `id_number`, and what the agreement asks for beside it.
            values: that are to be verified; empty: none.
        """
        content: dict[str, Any] = {
            "request_id": self.request_id,
            "operator": self.operator,
            "purpose": self.purpose,
            "case": self.case,
            "person": dict(person),
        }
        if values:
            content["values"] = dict(values)
        return json.dumps(content, ensure_ascii=False).encode()


@dataclass(frozen=True, slots=True)
class Told:
    """What the service has answered.

    Attributes:
        status: of HTTP.
        content: the JSON.
    """

    status: int
    content: Mapping[str, Any] = field(repr=False)


def send(base: str, path: str, credential: Credential, body: bytes) -> Told:
    """Sign a call and send it, to this address and no other.

    Args:
        base: address of the service, without a slash at its end.
        path: from the first slash on.
        credential: of the calling system.
        body: as `Asking.body` makes it.

    Raises:
        ConfigError: the service is on another machine, and not asked through https.
        SourceUnavailable: the service cannot be reached.
        ProtocolError: it answers no JSON object.
    """
    at = urlsplit(base)
    secure = at.scheme == "https"
    if not secure and not (at.scheme == "http" and is_here(at.hostname or "")):
        msg = "a service beyond this machine is asked through https"
        raise ConfigError(msg)
    headers = signed_headers(credential, bound(credential.form, path, body))
    headers["Content-Type"] = "application/json"
    failed = ""
    try:
        with requests.Session() as session:
            session.trust_env = secure  # in the clear it goes through no proxy
            answer = session.post(
                base + path, data=body, headers=headers, timeout=PATIENCE_S, allow_redirects=False
            )
        content = answer.json()
    except requests.JSONDecodeError:
        content = None
    except requests.RequestException as error:
        failed = type(error).__name__
    if failed:
        msg = f"the service at {base} cannot be reached ({failed})"
        raise SourceUnavailable(msg)
    if not isinstance(content, dict):
        msg = f"the service at {base} answers no JSON object (status {answer.status_code})"
        raise ProtocolError(msg)
    return Told(answer.status_code, content)
