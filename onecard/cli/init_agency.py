"""`onecard init agency`: asks for a new agency and writes what its first night needs."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, get_args

import typer

from onecard.app.hub_desk import HubDesk
from onecard.cli import output
from onecard.errors import ConfigError, FatalError, RetriableError, UsageError, unknown
from onecard.operations import discovery, linting, new_agency
from onecard.operations.discovery import Wish
from onecard.operations.new_agency import FlowBasis, NewAgency, NewConnection
from schemas.models.catalogue import Agency

ROLES = get_args(Agency.model_fields["role"].annotation)


@dataclass
class _Asking:
    """Asks for what no option says, or says what is missing."""

    silent: bool
    missing: list[str] = field(default_factory=list)

    def text(self, given: str, option: str, question: str, default: str = "") -> str:
        """What an option gives, else what a person answers.

        Args:
            given: by the option.
            option: its name.
            question: for a person.
            default: an answer that may be taken by Enter.
        """
        if given:
            return given
        if not self.silent:
            return str(typer.prompt(question, default=default or None))
        if not default:
            self.missing.append(option)
        return default


def agency(  # noqa: PLR0913 - one parameter for each option
    name: Annotated[str, typer.Argument(help="Its short name, e.g. civil.")],
    *,
    title: Annotated[str, typer.Option(help="Chinese name, e.g. 市民政局.")] = "",
    short: Annotated[str, typer.Option(help="Short Chinese name, e.g. 民政.")] = "",
    title_en: Annotated[str, typer.Option(help="English name.")] = "",
    role: Annotated[str, typer.Option(help=f"One of {', '.join(ROLES)}.")] = "provider",
    connection: Annotated[str, typer.Option(help="Id of the connection to its system.")] = "",
    conn_type: Annotated[str, typer.Option("--type", help="Type of the connection.")] = "",
    host: Annotated[str, typer.Option(help="Where the system is.")] = "",
    port: Annotated[int | None, typer.Option(help="Its port.")] = None,
    schema: Annotated[str, typer.Option(help="Database, service or schema.")] = "",
    login: Annotated[str, typer.Option(help="Login; the password is never asked for.")] = "",
    path: Annotated[str, typer.Option(help="Folder, of files on this machine.")] = "",
    target: Annotated[
        list[str] | None,
        typer.Option(help="Table, file or path to discover; may be given again."),
    ] = None,
    options: Annotated[
        str, typer.Option(help="Of the targets' source.options: YAML, or @FILE.")
    ] = "",
    consumer: Annotated[
        str, typer.Option(help="Who may need it: an agreement to begin with.")
    ] = "",
    purpose: Annotated[str, typer.Option(help="A7-01 to A7-13, of that agreement.")] = "",
    statute: Annotated[str, typer.Option(help="Statute that it rests on.")] = "",
    article: Annotated[str, typer.Option(help="Article of the statute.")] = "",
    responsible: Annotated[str, typer.Option(help="Official who answers for the flow.")] = "",
    no_input: Annotated[
        bool, typer.Option("--no-input", help="Ask nothing; what is missing is an error.")
    ] = False,
) -> None:
    """Add an agency: its line, its connection as an example, contracts and an agreement to check.

    Args:
        name: of the agency.
        title: in Chinese.
        short: in Chinese, of two or three characters.
        title_en: in English.
        role: what it is under order 249.
        connection: id of the connection.
        conn_type: as Airflow names types of connections.
        host: of the system.
        port: of the system.
        schema: database, service or schema.
        login: of the hub at the system.
        path: of a folder of this machine.
        target: what contracts are proposed for.
        options: what the source does not tell of itself.
        consumer: of an agreement that is proposed; empty: none is.
        purpose: of the agreement.
        statute: of the agreement.
        article: of the agreement.
        responsible: of the agreement.
        no_input: take the options alone.
    """
    with output.errors_as_exit_codes():
        asking = _Asking(silent=no_input)
        if role not in ROLES:
            raise UsageError(unknown("role", role, ROLES))
        root = linting.folder_in_force()
        known = HubDesk().catalogue.agencies.get(name)
        added = known is None and _added(
            asking, root, NewAgency(name, title, short, title_en, role)
        )
        output.say(f"{root / 'agencies.yaml'}: {name} {'added' if added else 'is there already'}")
        place = NewConnection(connection, conn_type, host, port, schema, login, path)
        used = _connection(asking, name, place)
        proposed, failed = _contracts(used, target or [], name, options)
        if consumer:
            basis = FlowBasis(consumer, purpose, statute, article, responsible)
            _agreement(asking, root, basis, proposed)
        _next(name, proposed)
    if failed:
        raise typer.Exit(1)


def _added(asking: _Asking, root: Path, given: NewAgency) -> bool:
    name = given.name
    wanted = NewAgency(
        name,
        asking.text(given.title, "--title", f"Chinese name of {name}"),
        asking.text(given.short, "--short", "short Chinese name"),
        asking.text(given.title_en, "--title-en", "English name"),
        given.role,
    )
    _complete(asking)
    return new_agency.add(root, wanted)


def _connection(asking: _Asking, name: str, given: NewConnection) -> str:
    """The connection's id; how it may be written is shown, unless it is there."""
    wanted = asking.text(given.id, "--connection", "id of the connection", f"{name}_db")
    try:
        HubDesk().connections.get(wanted)
    except ConfigError:
        kind = asking.text(given.conn_type, "--type", "type of the connection")
        _complete(asking)
        line = NewConnection(
            wanted, kind, given.host, given.port, given.schema, given.login, given.path
        ).line
        output.say("the connection is not in the environment; write it there, with its password:")
        output.say(f"  {line}")
    else:
        output.say(f"connection {wanted} is there")
    return wanted


def _contracts(
    connection: str, targets: list[str], name: str, options: str
) -> tuple[list[str], bool]:
    """Ids of the datasets with new contracts, and whether a source failed; one stops no other."""
    found, failed = [], False
    for target in targets:
        desk = HubDesk()
        try:
            wish = Wish(connection, target, options=discovery.options_of(options))
            proposal = discovery.propose(desk, wish, agency=name)
            file = discovery.write(proposal)
        except UsageError as error:
            output.say(f"{target}: {error}")
            continue
        except (FatalError, RetriableError) as error:
            output.say(f"{target}: {error}")
            failed = True
            continue
        output.say(f"{file}: proposed, {len(proposal.guess.columns)} fields; look at each CHECK")
        found.append(proposal.contract.id)
    return found, failed


def _agreement(asking: _Asking, root: Path, given: FlowBasis, datasets: list[str]) -> None:
    """An agreement for each new dataset that rows of persons stand in."""
    basis = FlowBasis(
        given.consumer,
        asking.text(given.purpose, "--purpose", "purpose (A7-01 to A7-13)"),
        asking.text(given.statute, "--statute", "statute that the flow rests on"),
        asking.text(given.article, "--article", "its article"),
        asking.text(given.responsible, "--responsible", "official who answers for the flow"),
    )
    _complete(asking)
    for dataset in datasets:
        desk = HubDesk()
        contract = desk.catalogue.contract(dataset)
        today = desk.settings.now().date()
        try:
            known, text = new_agency.agreement_text(desk.catalogue, contract, basis, today)
            file = new_agency.write_agreement(root, known, text)
        except UsageError as error:
            output.say(f"{dataset}: {error}")
            continue
        output.say(f"{file}: proposed, not approved: it grants the key alone")


def _complete(asking: _Asking) -> None:
    """Stop where something is missing that nobody may be asked for."""
    if asking.missing:
        msg = f"missing: {', '.join(asking.missing)}"
        raise UsageError(msg)


def _next(name: str, datasets: list[str]) -> None:
    output.say("next:")
    if not datasets:
        output.say("  onecard discover CONNECTION                  # what the system holds")
        output.say("  onecard discover CONNECTION TABLE --write    # a contract to look at")
    for dataset in datasets:
        output.say(f"  onecard collect {dataset} --dry-run --limit 1000")
    output.say("  onecard lint")
    output.say(f"  onecard nightly --only {name}   # when its contracts say status: draft")
