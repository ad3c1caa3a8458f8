"""Ask the query and verify service as a caller's system would: ask."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from onecard.app.hub_desk import HubDesk
from onecard.base.platform_signature import Credential
from onecard.cli import output
from onecard.cli.options import Json
from onecard.crypto import answers, keys
from onecard.errors import ConfigError, ProtocolError, UsageError, unknown
from onecard.serve import codes
from onecard.serve.calls import ID_NUMBER
from onecard.serve.client import Asking, send
from schemas.models.agreement import Agreement


def ask(
    agreement: Annotated[str, typer.Argument(help="Id of a query or verify agreement.")],
    *,
    operator: Annotated[str, typer.Option(help="Who asks, at the caller.")],
    case: Annotated[str, typer.Option(help="Number of the case that it is asked for.")],
    at: Annotated[str, typer.Option(metavar="URL", help="Of the service.")] = (
        "http://127.0.0.1:8092"
    ),
    json: Json = False,
) -> None:
    """Ask about one person; the ID number is read from a prompt or standard input.

    Args:
        agreement: id of a query or verify agreement.
        operator: who asks, at the caller.
        case: number of the case that it is asked for.
        at: address of the service.
        json: print the whole answer.
    """
    with output.errors_as_exit_codes():
        hub = HubDesk()
        found = hub.catalogue.agreement(agreement)
        if not found.asked or found.asking is None:
            msg = f"{agreement} has mode {found.mode}: nobody is asked for under it"
            raise UsageError(msg)
        credential = _credential(hub, found, sid)
        given = [ID_NUMBER, *(path.rpartition(".")[2] for path in found.asking.by)]
        person = {name: _read(name) for name in given}
        verified = found.names if found.mode == "verify" else ()
        values = {name: _read(name) for name in verified}
        body = Asking(operator, found.purpose, case).body(person, values)
        told = send(at.rstrip("/"), f"/v1/{found.id}/{found.mode}", credential, body)
        code = str(told.content.get("code"))
        if json:
            output.emit(dict(told.content))
        elif code == codes.ANSWERED.code:
            if wrong := answers.problem(told.content, body, hub.signer.verify):
                msg = f"the answer is not to be believed: {wrong}"
                raise ProtocolError(msg)
            _show(told.content["result"])
        else:
            said = {c.code: c for c in codes.CODES}.get(code)
            output.say(f"{code}: {said.en}; {said.do_en}" if said else f"unknown code {code}")
    if code != codes.ANSWERED.code:
        raise typer.Exit(1)


def _credential(hub: HubDesk, agreement: Agreement, sid: str) -> Credential:
    """What a system signs with today: the one that is named, else the consumer's first.

    Raises:
        UsageError: it has no system that may call, or not that one.
        ConfigError: that has no key.
    """
    systems = hub.catalogue.callers
    own = [s for s, x in systems.items() if x.asks_for(agreement.consumer)]
    own += [s for s, x in systems.items() if x.sandbox and x.agency == agreement.consumer]
    if sid and sid not in own:
        raise UsageError("--sid: " + unknown("system of the consumer", sid, own))
    sid = sid or next(iter(own), "")
    if not sid:
        msg = f"{agreement.consumer} has no system in callers.yaml: nobody may ask in its name"
        raise UsageError(msg)
    purpose = keys.caller_purpose(sid)
    found = hub.keys.epochs([purpose]).get(purpose)
    if not found:
        msg = f"no key {purpose}: `onecard keys add {sid} --for caller --epoch E` makes one"
        raise ConfigError(msg)
    return Credential(sid, keys.app_key(found[0]), systems[sid])


def _read(name: str) -> str:
    """From a hidden prompt, or the next line of standard input; never from the command line."""
    if sys.stdin.isatty():
        return str(typer.prompt(name, hide_input=name == ID_NUMBER)).strip()
    return sys.stdin.readline().strip()


def _show(result: dict[str, object]) -> None:
    fields = result["fields"]
    if result["outcome"] != "answered" or not isinstance(fields, dict):
        output.say("none: no such person, outside the scope, or nothing may be said")
        return
    output.table("answer", ("field", "value"), list(fields.items()))
