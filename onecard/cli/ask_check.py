"""Says what is wrong with a call that its sender has kept: `onecard ask --check`."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from onecard.app.hub_desk import HubDesk
from onecard.cli import output
from onecard.cli.options import moment
from onecard.crypto import keys
from onecard.errors import UsageError
from onecard.serve import conformance
from onecard.serve.conformance import Known

LARGEST = 4 * 1024 * 1024
"""Bytes of a file that is read."""


@dataclass(frozen=True, slots=True)
class Files:
    """Where a call stands.

    Attributes:
        call: request line, headers, and the body where it is not kept apart.
        body: the body alone.
        signed: the text that was signed.
        key: the appKey; None: the hub's key store has it.
    """

    call: Path
    body: Path | None
    signed: Path | None
    key: Path | None


def check(hub: HubDesk, files: Files, came: str, *, json: bool) -> bool:
    """Say what is wrong with a call; returns whether nothing is.

    Args:
        hub: knows systems, agreements and, without a file, keys.
        files: where the call stands.
        came: when it came, an instant with offset; empty: now.
        json: print the faults as JSON.

    Raises:
        UsageError: a file cannot be read, or is no request.
        PolicyError: the key store cannot be read.
    """
    call = _read("--check", files.call)
    kept = conformance.read(call, _given("--body", files.body), _given("--signed", files.signed))
    faults = conformance.examine(kept, _known(hub, files.key, came))
    if json:
        output.emit([{"rule": f.rule, "code": f.code.code, "says": f.says} for f in faults])
    elif faults:
        rows = [(f.code.code, f.rule, f.says) for f in faults]
        output.table("faults", ("code", "rule", "what is wrong"), rows)
    else:
        output.say("nothing is wrong with this call; whether its rid was taken before is not known")
    return not faults


def _known(hub: HubDesk, key: Path | None, came: str) -> Known:
    """Systems, agreements, the time, and keys: the one that is given, or all good today."""
    systems = hub.catalogue.callers
    agreements = {name: a for name, a in hub.catalogue.agreements.items() if a.asked}
    now_ms = int(moment(came, "--came").timestamp() * 1000) if came else time.time_ns() // 1_000_000
    if key is not None:
        own = _read("--key", key).strip()
        return Known(systems, dict.fromkeys(systems, (own,)), agreements, now_ms)
    purposes = {keys.caller_purpose(sid): sid for sid in systems}
    found = hub.keys.epochs(purposes, hub.settings.now().date())
    good = {purposes[p]: tuple(keys.app_key(k) for k in epochs) for p, epochs in found.items()}
    return Known(systems, good, agreements, now_ms)


def _given(option: str, file: Path | None) -> bytes | None:
    return None if file is None else _read(option, file)


def _read(option: str, file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            found = opened.read(LARGEST + 1)
    except OSError as error:
        msg = f"{option}: {file} cannot be read ({error.strerror})"
        raise UsageError(msg) from None
    if len(found) > LARGEST:
        msg = f"{option}: {file} has more than {LARGEST:,} bytes: that is no call"
        raise UsageError(msg)
    return found
