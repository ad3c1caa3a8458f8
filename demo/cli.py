"""Commands that rehearse on simulated agencies: `demo` runs a night, `up` starts Airflow."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from demo import counter_hours, dag_night, lane, lost_card, questions, service, show, standalone
from demo.counter import Counter
from demo.progress import progress
from demo.proof import prove
from demo.rehearsal import Rehearsal, setup_steps, start
from demo.service import ServiceProcess
from demo.verify import verify as compare
from demo.verify_inboxes import verify_inboxes
from onecard.app.wiring import Hub
from onecard.base import interrupts
from onecard.base.settings import Settings
from onecard.cli import output
from onecard.cli.options import Json
from onecard.operations.night_report import write_report
from onecard.operations.reports import write_due
from onecard.portal import logins

DEFAULT_PERSONS = 20_000
DEFAULT_SEED = 20240101
"""The day on which order 249 came into force."""
USUAL_PORT = 8080


def demo(  # noqa: PLR0913 - one parameter for each option
    *,
    persons: Annotated[
        int, typer.Option(min=1000, help="Size of the population.")
    ] = DEFAULT_PERSONS,
    seed: Annotated[int, typer.Option(help="Seed of population and defects.")] = DEFAULT_SEED,
    days: Annotated[int, typer.Option(min=1, help="Nights to run through the DAGs.")] = 1,
    history: Annotated[
        int, typer.Option(min=0, help="Nights after them, without Airflow: a past for the reports.")
    ] = 0,
    verify: Annotated[
        bool,
        typer.Option(
            "--verify",
            help="Compare the quarantine with what was planted, and after every night every inbox"
            " with its agreement.",
        ),
    ] = False,
    json: Json = False,
) -> None:
    """Run the nightly sync for real, through the DAGs, on simulated agencies."""
    _end_in_order(128 + signal.SIGTERM)
    shown = not json
    started = time.monotonic()
    result: dict[str, Any] = {"persons": persons, "seed": seed}
    home = Settings.load().home / "demo"
    with output.errors_as_exit_codes(), _city(home, persons, seed, shown=shown) as stage:
        result["prepare_seconds"] = round(time.monotonic() - started, 1)
        result |= _nights(stage, days, history, shown=shown, verify=verify)
        day = days - 1 + history
        with service.running(stage.at(day), stage.home / "serve.log") as serving:
            result["live"] = _lost_card(stage, day, shown=shown)  # it starts meanwhile
            asked = _asked(stage, day, serving, shown=shown)
        asked["exit_code"] = serving.exit_code
        asked["well"] = asked["well"] and not serving.exit_code
        result["asked"] = asked
        if verify:
            same = _verify_inboxes(stage, day, "after the lane", shown=shown)
            result["inboxes_verified"] = same and result["inboxes_verified"]
            result["verified"] = _verify(stage, day, shown=shown)
        last = stage.hub(day)
        result["reports"] = _reports(last, shown=shown)
        result["proven"] = _prove(last, shown=shown)
    result["seconds"] = round(time.monotonic() - started, 1)
    if json:
        output.emit(result)
    else:
        output.say(f"done in {result['seconds']} s; report: {result['report']}")
    verified = (result.get("verified", True), result.get("inboxes_verified", True))
    well = (result["proven"], result["live"]["well"], result["asked"]["well"], *verified)
    if result["exit_code"] or not all(well):
        raise typer.Exit(1)


def up(
    *,
    persons: Annotated[int, typer.Option(min=1000)] = DEFAULT_PERSONS,
    seed: Annotated[int, typer.Option()] = DEFAULT_SEED,
    port: Annotated[
        int | None,
        typer.Option(help="Port of Airflow's web server; default: 8080, or a free one."),
    ] = None,
) -> None:
    """Start Airflow with the simulated agencies; ends with Ctrl-C."""
    _end_in_order(0)
    home = Settings.load().home / "up"
    with output.errors_as_exit_codes(), _city(home, persons, seed, shown=True) as stage:
        folder = Path(stage.environment["AIRFLOW_HOME"])
        made = logins.make(folder, stage.hub(0).catalogue.agencies)
        listening = standalone.ports(standalone.free_port(USUAL_PORT) if port is None else port)
        address, password = listening["AIRFLOW__API__BASE_URL"], made.passwords[logins.ADMIN]
        output.say(f"Airflow: {address}  user: admin  password: {password}")
        output.say(f"Portal:  {address}/onecard/  a steward of each agency: its name,")
        output.say(f"         e.g. hrss, and the password in {made.file}")
        output.say(f"logs in {folder}; Ctrl-C ends Airflow, lane, service and the agencies")
        airflow = stage.at(0) | dict(made.environment) | listening
        with ExitStack() as running:
            server = running.enter_context(standalone.running(airflow))
            served = running.enter_context(service.running(stage.at(0), home / "serve.log"))
            live = running.enter_context(lane.running(stage.at(0), home / "live.log"))
            running.enter_context(
                counter_hours.kept(Counter(stage.city, 0), stage.hub(0), live.door)
            )
            output.say(f"Live lane: ready, its log is {live.log}; once hrss has been collected, a")
            output.say(f"         card is reported lost every {counter_hours.EACH_S:g} s")
            served.wait_until_ready()
            output.say(f"Service: query and verify at {served.door}, its log is {served.log};")
            output.say(f"         what can be asked: {served.door}/v1/openapi.json")
            try:
                server.wait()
            except KeyboardInterrupt:
                output.say("ending")


def _end_in_order(code: int) -> None:
    """What runs beside (agencies' servers, Airflow, the lane) is ended on the way out.

    Args:
        code: of the exit after SIGTERM.
    """
    interrupts.release()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(code))


@contextmanager
def _city(home: Path, persons: int, seed: int, *, shown: bool) -> Iterator[Rehearsal]:
    """A running rehearsal; while it is made, people see how far it is."""
    started = time.monotonic()
    with ExitStack() as stack:
        with progress("set-up", setup_steps(), shown=shown):
            stage = stack.enter_context(start(home, persons=persons, seed=seed))
        if shown:
            ready = time.monotonic() - started
            output.say(f"{persons:,} residents, six agencies' systems ready in {ready:.1f} s")
        yield stage


def _nights(stage: Rehearsal, days: int, more: int, *, shown: bool, verify: bool) -> dict[str, Any]:
    """The nights through the DAGs, then those without; what the last one through them did."""
    result: dict[str, Any] = {}
    same = True
    for day in range(days):
        if day:
            with progress(f"day {day}", len(stage.city.catalogue.contracts), shown=shown):
                stage.city.prepare(day)
        done = dag_night.through_the_dags(stage, day, shown=shown)
        if shown:
            show.night(stage.hub(day), done, day)
        result = {
            "exit_code": done.exit_code,
            "night_seconds": round(done.seconds, 1),
            "transfer_seconds": round(done.transfer_seconds, 1),
            "transfers": done.ended,
            "report": str(write_report(stage.hub(day), done.before)),
            "log": str(done.log),
        }
        if verify:
            same &= _verify_inboxes(stage, day, f"night {day}", shown=shown)
            result["inboxes_verified"] = same
    if more:
        nights = range(days, days + more)
        seconds = dag_night.without_airflow(stage, nights, shown=shown, verify=verify)
        result["history_seconds"] = round(seconds, 1)
        if shown:
            output.say(f"{more} more nights, without Airflow, in {seconds:.1f} s")
    return result


def _reports(hub: Hub, *, shown: bool) -> list[str]:
    """The agencies' reports of the last night's month, of the month before and of the last day."""
    started = time.monotonic()
    with progress("reports", None, shown=shown) as ended:
        files = write_due(hub, looking_back=True, told=ended)
    if shown:
        folder, seconds = hub.settings.home / "reports", time.monotonic() - started
        output.say(f"{len(files)} agencies' reports in {seconds:.1f} s: {folder}")
    return [str(f) for f in files]


def _prove(hub: Hub, *, shown: bool) -> bool:
    """Audit log, receipts and one resident's disclosures."""
    with progress("proofs", None, shown=shown):
        proof = prove(hub)
    if shown:
        show.proof(proof)
    return bool(proof.holds)


def _lost_card(stage: Rehearsal, day: int, *, shown: bool) -> dict[str, Any]:
    """The live lane beside one card that is reported lost; who came to know of it, and when."""
    with progress("live lane", lost_card.steps(stage.hub(day)), shown=shown) as ended:
        found = lost_card.report(stage, day, ended=ended)
    if shown:
        show.lost_card(found)
    return {
        "well": found.well,
        "answer": found.answer,
        "published_seconds": found.published,
        "exit_code": found.exit_code,
        "seconds": round(found.seconds, 1),
        "log": str(found.log),
        "consumers": [asdict(line) for line in found.told],
    }


def _asked(stage: Rehearsal, day: int, serving: ServiceProcess, *, shown: bool) -> dict[str, Any]:
    """One question under each agreement of mode query and verify; what came of it."""
    hub = stage.hub(day)
    with progress("questions", questions.steps(hub), shown=shown) as ended:
        found = questions.ask_all(hub, serving, ended=ended)
    if shown:
        show.questions(found)
    return {
        "well": found.well,
        "answers": [asdict(answer) for answer in found.answers],
        "refused": found.refused,
        "entries": found.entries,
        "calls": found.calls,
        "seconds": round(found.seconds, 1),
        "log": str(serving.log),
    }


def _verify_inboxes(stage: Rehearsal, day: int, when: str, *, shown: bool) -> bool:
    """Whether every consumer holds what its agreement says by now.

    Args:
        stage: a running rehearsal.
        day: of the hub's clock.
        when: that is, for people.
        shown: whether they see it.
    """
    with progress(f"verifying {when}", None, shown=shown):
        found = verify_inboxes(stage.hub(day), stage.city)
    if shown:
        show.inboxes(found, when)
    return all(verdict.same for verdict in found.values())


def _verify(stage: Rehearsal, day: int, *, shown: bool) -> bool:
    """Whether the quarantine is exactly what was planted."""
    with progress("verifying", None, shown=shown):
        found = compare(stage.hub(day), stage.city.home / "truth")
    exact = not any(v.missed or v.wrong for v in found.values())
    if shown:
        show.verdicts(found, exact=exact)
    return exact
