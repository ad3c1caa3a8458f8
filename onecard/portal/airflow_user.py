"""Name and groups of a user of Airflow, whichever auth manager made it.

| auth manager | groups |
|---|---|
| SimpleAuthManager | `role` (`admin`, …) and `teams` |
| FAB (LDAP, OAuth, database) | names of `roles` and `groups` |
| Keycloak | claims `groups` and `realm_access.roles` of the access token |
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator
from typing import Any

from onecard.portal.access import Person


def person(user: Any) -> Person:  # noqa: ANN401 - each auth manager has a class of its own
    """The user as the portal knows it."""
    return Person(str(user.get_name()), frozenset(_groups(user)))


def _groups(user: Any) -> Iterator[str]:  # noqa: ANN401
    role = getattr(user, "role", None)
    if isinstance(role, str) and role:
        yield role
    for attribute in ("teams", "roles", "groups"):
        yield from _names(getattr(user, attribute, None))
    claims = _claims(getattr(user, "access_token", None))
    yield from _names(claims.get("groups"))
    realm = claims.get("realm_access")
    yield from _names(realm.get("roles") if isinstance(realm, dict) else None)


def _names(found: object) -> Iterator[str]:
    """Names of a list of texts or of objects with a name."""
    if not isinstance(found, Iterable) or isinstance(found, str):
        return
    for item in found:
        name = item if isinstance(item, str) else getattr(item, "name", None)
        if isinstance(name, str) and name:
            yield name


def _claims(token: object) -> dict[str, Any]:
    """Claims of a token that Airflow keeps inside its own, signed one; {} when it is none."""
    parts = token.split(".") if isinstance(token, str) else []
    if len(parts) != 3:
        return {}
    try:
        body = base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4))
        found = json.loads(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
