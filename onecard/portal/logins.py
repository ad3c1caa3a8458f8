"""Logins of a rehearsal: an engineer, and a steward of each agency, for SimpleAuthManager.

Stewards have no role in Airflow: the portal is all that they see.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from onecard.portal.access import ENGINEER

ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Logins:
    """What was made.

    Attributes:
        passwords: by user; a steward's user is the agency's name.
        file: where they stand, mode 0600.
        environment: that Airflow and the portal are started with.
    """

    passwords: Mapping[str, str] = field(repr=False)
    file: Path
    environment: Mapping[str, str]


def make(folder: Path, agencies: Iterable[str]) -> Logins:
    """Write passwords and the portal's mapping into `folder` (mode 0700)."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    stewards = list(agencies)
    passwords = {user: secrets.token_urlsafe(12) for user in (ADMIN, *stewards)}
    file, users = folder / "passwords.json", folder / "portal-users.yaml"
    _write(file, json.dumps(passwords, indent=1))
    lines = [f'  {ADMIN}: ["{ENGINEER}"]', *(f"  {a}: [{a}]" for a in stewards)]
    _write(users, "\n".join(["users:", *lines, ""]))
    return Logins(
        passwords,
        file,
        {
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": ",".join(
                [f"{ADMIN}:admin", *(f"{a}:" for a in stewards)]
            ),
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(file),
            "ONECARD_PORTAL_USERS": str(users),
        },
    )


def _write(file: Path, text: str) -> None:
    file.unlink(missing_ok=True)
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as opened:
        opened.write(text)
