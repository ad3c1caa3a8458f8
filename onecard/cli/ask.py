"""Ask the query and verify service as a caller's system would, or look at a kept call: ask."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
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

AT = "http://127.0.0.1:8092"


def ask(  # noqa: PLR0913 - one parameter for each option
    agreement: Annotated[str, typer.Argument(help="Id of a query or verify agreement.")] = "",
    *,
    operator: Annotated[str, typer.Option(help="Who asks, at the caller.")] = "",
    case: Annotated[str, typer.Option(help="Number of the case that it is asked for.")] = "",
    sid: Annotated[str, typer.Option(help="The system that asks; default: the first.")] = "",
    at: Annotated[str, typer.Option(metavar="URL", help="Of the service.")] = AT,
    check: Annotated[
        Path | None, typer.Option(help="Ask nobody: say what is wrong with the call in this file.")
    ] = None,
    body: Annotated[Path | None, typer.Option(help="Its body, where it is kept apart.")] = None,
    signed: Annotated[Path | None, typer.Option(help="The text that was signed, if kept.")] = None,
    key: Annotated[Path | None, typer.Option(help="File with its appKey; default: ours.")] = None,
    came: Annotated[str, typer.Option(help="When it came, with offset; default: now.")] = "",
    json: Json = False,
) -> None:
    """Ask about one person (read from standard input), or say what is wrong with a kept call.

    Args:
        agreement: id of a query or verify agreement.
        operator: who asks, at the caller.
        case: number of the case that it is asked for.
        sid: the system that asks; default: the consumer's first.
        at: address of the service.
        check: a file with an HTTP request: nobody is asked, what is wrong with it is said.
        body: a file with its body, where that is kept apart.
        signed: a file with the text that was signed.
        key: a file with the appKey that signed it; default: the key store's.
        came: when it came; default: now.
        json: print the whole answer, or the faults.
    """
    with output.errors_as_exit_codes():
        if check is not None:
            if agreement or operator or case or sid:
                msg = "--check asks nobody: drop the agreement, --operator, --case and --sid"
                raise UsageError(msg)
            from onecard.cli import ask_check  # noqa: PLC0415 - only where a call is examined

            kept = ask_check.Files(check, body, signed, key)
            good = ask_check.check(HubDesk(), kept, came, json=json)
        elif body or signed or key or came:
            msg = "--body, --signed, --key and --came say more of a call to --check"
            raise UsageError(msg)
        elif not (agreement and operator and case):
            msg = "an agreement, --operator and --case are wanted; or --check with a file"
            raise UsageError(msg)
        else:
            good = _ask(HubDesk(), _Wish(agreement, operator, case, sid), at, json=json)
    if not good:
        raise typer.Exit(1)


@dataclass(frozen=True, slots=True)
class _Wish:
    """What is said on the command line of a call."""

    agreement: str
    operator: str
    case: str
    sid: str


def _ask(hub: HubDesk, wish: _Wish, at: str, *, json: bool) -> bool:
    """Ask and show what is said; returns whether it was an answer."""
    found = hub.catalogue.agreement(wish.agreement)
    if not found.asked or found.asking is None:
        msg = f"{found.id} has mode {found.mode}: nobody is asked for under it"
        raise UsageError(msg)
    credential = _credential(hub, found, wish.sid)
    given = [ID_NUMBER, *(path.rpartition(".")[2] for path in found.asking.by)]
    person = {name: _read(name) for name in given}
    verified = found.names if found.mode == "verify" else ()
    values = {name: _read(name) for name in verified}
    body = Asking(wish.operator, found.purpose, wish.case).body(person, values)
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
    return code == codes.ANSWERED.code


def _credential(hub: HubDesk, agreement: Agreement, sid: str) -> Credential:
    """What a system signs with today: the one that is named, else the consumer's first.

    Raises:
        UsageError: it has no system that may call, or not that one.
        ConfigError: that has no key.
    """
    systems = hub.catalogue.callers
    own = [s for s, x in systems.items() if x.asks_for(agreement.consumer)]
    trial = [s for s, x in systems.items() if x.sandbox and x.agency == agreement.consumer]
    if sid and sid not in (*own, *trial):
        raise UsageError("--sid: " + unknown("system of the consumer", sid, (*own, *trial)))
    if not (sid or own):
        msg = f"{agreement.consumer} has no system in callers.yaml: nobody may ask in its name"
        raise UsageError(msg)
    sid = sid or own[0]
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
