"""Calls for `bench.serve`: whom they ask for, signed and written as they go over the wire."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date, timedelta

from bench.serve_client import PATH, Job, Sending
from demo.rehearsal import Rehearsal
from onecard.base.platform_signature import Credential, bound, signed_headers
from onecard.crypto import keys
from onecard.serve.client import Asking
from onecard.store import database
from schemas.models import catalogue
from tests.asked import id_number

CALLER = "health-his"
UNKNOWN = 20
"""One call in so many asks for nobody whom the registry has."""
OF_ONE_OPERATOR = 20
"""Calls of one operator in a phase: no quota of an operator is met."""
_PEOPLE = (
    "SELECT person_id18, person_name FROM registry.hrss__card_master"
    " WHERE card_status = '1' AND _deleted_at IS NULL ORDER BY md5(card_no) LIMIT %s"
)


@dataclass(frozen=True, slots=True)
class Signed:
    """Calls that were made.

    Attributes:
        requests: their request ids.
        bodies: that were signed.
        known: whether the registry has the person, of each.
        wires: as they go over the wire.
    """

    requests: list[str]
    bodies: list[bytes] = field(repr=False)
    known: list[bool]
    wires: list[str] = field(repr=False)


@dataclass(slots=True)
class Callers:
    """Makes calls of one system, each about another person.

    Attributes:
        credential: of the system.
        people: ID numbers and names of persons whom the registry has.
        made: calls so far.
    """

    credential: Credential
    people: Sequence[tuple[str, str]] = field(repr=False)
    made: int = 0

    @classmethod
    def of(cls, stage: Rehearsal, people: int) -> Callers:
        """Those of a rehearsal whose cards were collected.

        Args:
            stage: whose keys are taken.
            people: whom they ask for, at most.
        """
        purpose = keys.caller_purpose(CALLER)
        (key, *_) = stage.hub(0).keys.epochs([purpose])[purpose]
        with database.connect(stage.environment["ONECARD_DATABASE_URL"]) as connection:
            lines = connection.execute(_PEOPLE, (people,)).fetchall()
        found = [(str(number), str(name)) for number, name in lines]
        random.Random(1).shuffle(found)
        return cls(Credential(CALLER, keys.app_key(key), catalogue.load().callers[CALLER]), found)

    def sign(self, count: int, host: str) -> Signed:
        """So many new calls, signed now; they are good for five minutes.

        Args:
            count: how many.
            host: where to, for the header of that name.
        """
        found = Signed([], [], [], [])
        for number in range(self.made, self.made + count):
            known = number % UNKNOWN != 0
            person = self.people[number % len(self.people)] if known else _nobody(number)
            asking = Asking(f"N{number // OF_ONE_OPERATOR:06}", "A7-03", f"JZ{number:014}")
            about = {"id_number": person[0], "person_name": person[1]}
            body = asking.body(about, {})
            headers = signed_headers(self.credential, bound(self.credential.form, PATH, body))
            found.requests.append(asking.request_id)
            found.bodies.append(body)
            found.known.append(known)
            found.wires.append(wire(host, body, headers))
        self.made += count
        return found


def _nobody(number: int) -> tuple[str, str]:
    """An ID number and a name that no resident of the demo has: division 410199."""
    return id_number(number % 1000, date(1950, 1, 1) + timedelta(number // 1000 % 20_000)), "王测"


def wire(host: str, body: bytes, headers: Mapping[str, str]) -> str:
    """A call as it goes over the wire, in Latin-1.

    Args:
        host: header of that name.
        body: JSON.
        headers: beside host, type and length.
    """
    more = {"Host": host, "Content-Type": "application/json", "Content-Length": str(len(body))}
    lines = "".join(f"{name}: {value}\r\n" for name, value in {**more, **headers}.items())
    return f"POST {PATH} HTTP/1.1\r\n{lines}\r\n" + body.decode("latin-1")


def send(job: Job) -> Sending:
    """Send a job by a process of its own.

    Raises:
        RuntimeError: it failed.
    """
    done = subprocess.run(
        [sys.executable, "-m", "bench.serve_client"],
        input=json.dumps(asdict(job)),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(done.stderr[-1500:])
    return Sending(**json.loads(done.stdout))
