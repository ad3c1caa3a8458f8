"""Commands on keys: init, list, add, rotate, pair, accept. None of them ever shows a secret."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated

import typer

from onecard.app.hub_desk import HubDesk
from onecard.base import files
from onecard.base.settings import KEYS, Settings, keys_text
from onecard.base.timespan import duration
from onecard.cli import output
from onecard.cli.options import Json
from onecard.crypto import keys, receiver_keys
from onecard.errors import ConfigError, UsageError, unknown


def init() -> None:
    """Make the key file: a token key for each consumer, the quarantine key, the signing key."""
    with output.errors_as_exit_codes():
        hub = HubDesk()
        today = hub.settings.now().date()
        file = _file(hub.settings)
        keys.create(file, hub.catalogue.agencies, str(today.year), today, hub.catalogue.callers)
        output.say(f"keys of epoch {today.year} in {file}; back it up apart")


def list_keys(*, json: Json = False) -> None:
    """Show purposes, epochs and their dates; no secrets."""
    with output.errors_as_exit_codes():
        settings = Settings.load()
        today = settings.now().date()
        listed = keys.configured(settings.keys_file).listed()
        if json:
            lines = [dataclasses.asdict(k) | {"delivers": k.delivers(today)} for k in listed]
            output.emit({"keys": lines})
            return
        output.table(
            "keys",
            ("purpose", "epoch", "current", "created", "until", "delivers"),
            [
                (k.purpose, k.epoch, k.current, k.created, k.until, k.delivers(today))
                for k in listed
            ],
        )


def add(
    agency: Annotated[str, typer.Argument(help="An agency or a caller that has no key yet.")],
    *,
    epoch: Annotated[str, typer.Option(help="Name of its first epoch, e.g. 2027.")],
    purpose_of: Annotated[
        str,
        typer.Option(
            "--for",
            help="token: what it receives; handback: its own bad rows; caller: a system's calls.",
        ),
    ] = "token",
) -> None:
    """Make the first key of who came later: of its tokens, its own bad rows, its calls.

    Args:
        agency: id of an agency, or sid of a calling system; it has no key of this purpose yet.
        epoch: name of the key's first epoch, e.g. `2027`.
        purpose_of: `token`, `handback` or `caller`.
    """
    made = {
        "token": keys.token_purpose,
        "handback": keys.handback_purpose,
        "caller": keys.caller_purpose,
    }
    with output.errors_as_exit_codes():
        hub = HubDesk()
        if purpose_of not in made:
            raise UsageError(unknown("purpose", purpose_of, made))
        kind = "caller" if purpose_of == "caller" else "agency"
        known = hub.catalogue.callers if kind == "caller" else hub.catalogue.agencies
        if agency not in known:
            raise UsageError(unknown(kind, agency, known))
        purpose = made[purpose_of](agency)
        keys.add(_file(hub.settings), purpose, epoch, hub.settings.now().date())
        output.say(f"{purpose}: epoch {epoch} is current")


def rotate(
    purpose: Annotated[str, typer.Argument(help="E.g. token/bank, quarantine, signing.")],
    *,
    epoch: Annotated[str, typer.Option(help="Name of the new epoch, e.g. 2027.")],
    window: Annotated[
        str, typer.Option(help="How long the old epoch still delivers, ISO 8601.")
    ] = "P30D",
) -> None:
    """Make a new current key of a purpose; the old one stays for a window, then for look-ups.

    Args:
        purpose: e.g. `token/bank`, `quarantine`, `signing`.
        epoch: name of the new epoch, e.g. `2027`.
        window: how long the old epoch still delivers: days as an ISO 8601 duration.
    """
    with output.errors_as_exit_codes():
        try:
            length = duration(window)
        except (ValueError, OverflowError):
            msg = f"--window: not an ISO 8601 duration of days: {window!r}; e.g. P30D"
            raise UsageError(msg) from None
        settings = Settings.load()
        today = settings.now().date()
        keys.rotate(_file(settings), purpose, epoch, length, today)
        output.say(
            f"{purpose}: epoch {epoch} is current; the one before delivers until {today + length}"
        )


def pair(
    consumer: Annotated[str, typer.Argument(help="Whose key it is: the consumer's id.")],
    *,
    epoch: Annotated[str, typer.Option(help="Id of the key, e.g. 2027.")],
    private: Annotated[Path, typer.Option(help="File of the private key; must not be there.")],
    public: Annotated[
        Path, typer.Option(help="File of the public key, for the hub; must not be there.")
    ],
) -> None:
    """Make a consumer's key pair for sealed deliveries: for rehearsals, and for consumers.

    Args:
        consumer: id of the consumer.
        epoch: id of the key, e.g. `2027`.
        private: file of the private half, mode 0600; the hub must never see it.
        public: file of the public half, for `onecard keys accept`.
    """
    with output.errors_as_exit_codes():
        if public.exists() or public.resolve() == private.resolve():
            msg = f"{public}: the public key needs a file of its own, which must not be there yet"
            raise UsageError(msg)
        suite = Settings.load().suite
        made = receiver_keys.make_pair(consumer, epoch, suite, private)
        files.write(public, made.model_dump_json(by_alias=True, indent=1) + "\n")
        output.say(f"{consumer}: {suite} key {epoch} in {private} and {public}")
        output.say(f"fingerprint: {made.fingerprint}")


def accept(
    file: Annotated[Path, typer.Argument(help="The consumer's public key, as it handed it over.")],
) -> None:
    """Seal for this public key of a consumer from now on, and never again for the one before.

    Args:
        file: of the public key.
    """
    with output.errors_as_exit_codes():
        hub = HubDesk()
        key = receiver_keys.read_public(file)
        if key.consumer not in hub.catalogue.agencies:
            raise UsageError(unknown("consumer", key.consumer, hub.catalogue.agencies))
        if key.suite != hub.settings.suite:
            msg = f"the key is of suite {key.suite}, the hub's suite is {hub.settings.suite}"
            raise UsageError(msg)
        receiver_keys.accept(_file(hub.settings), key, hub.settings.now().date())
        output.say(f"{key.consumer}: deliveries are sealed for key {key.epoch} from now on")
        output.say(f"fingerprint, to be compared by telephone: {key.fingerprint}")


def _file(settings: Settings) -> Path:
    """The key file; keys that the environment gives must be changed where they are kept."""
    if keys_text():
        msg = f"keys come from {KEYS}: change them where that is kept, or unset it"
        raise ConfigError(msg)
    return settings.keys_file
