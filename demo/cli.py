"""Commands that rehearse on simulated agencies: `demo` runs a night, `up` starts Airflow."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from onecard.base.settings import Settings
from onecard.cli import output
from onecard.cli.options import Json
from onecard.errors import FatalError
from onecard.model.transfers import Transfer
from onecard.portal import logins
from onecard.store import database, transfer_history

if TYPE_CHECKING:
    from demo.rehearsal import Rehearsal
    from onecard.app.wiring import Hub

DEFAULT_PERSONS = 20_000
DEFAULT_SEED = 20240101
"""The day on which order 249 came into force."""


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
        bool, typer.Option("--verify", help="Compare with the planted truth.")
    ] = False,
    json: Json = False,
) -> None:
    """Run the nightly sync for real, through the DAGs, on simulated agencies."""
    from demo.rehearsal import start  # noqa: PLC0415 - the rehearsal's own parts

    home = Settings.load().home / "demo"
    started = time.monotonic()
    with output.errors_as_exit_codes(), start(home, persons=persons, seed=seed) as stage:
        ready = time.monotonic() - started
        if not json:
            output.say(f"{persons:,} residents, six agencies' systems ready in {ready:.1f} s")
        result: dict[str, Any] = {
            "persons": persons,
            "seed": seed,
            "prepare_seconds": round(ready, 1),
        }
        for day in range(days):
            if day:
                stage.city.prepare(day)
            result |= _night(stage, day, quiet=json)
        if verify:
            result["verified"] = _verify(stage, days - 1, quiet=json)
        last = days - 1 + history
        if history:
            result |= _history(stage, (days, last), (seed, persons), quiet=json)
        result["proven"] = _prove(stage.hub(last), quiet=json)
        result["reports"] = _reports(stage.hub(last), quiet=json)
        result["seconds"] = round(time.monotonic() - started, 1)
        if json:
            output.emit(result)
        else:
            output.say(f"done in {result['seconds']} s; report: {result['report']}")
    if result["exit_code"] or not result["proven"] or not result.get("verified", True):
        raise typer.Exit(1)


def up(
    *,
    persons: Annotated[int, typer.Option(min=1000)] = DEFAULT_PERSONS,
    seed: Annotated[int, typer.Option()] = DEFAULT_SEED,
    port: Annotated[int, typer.Option(help="Port of Airflow's web server.")] = 8080,
) -> None:
    """Start Airflow with the simulated agencies; ends with Ctrl-C."""
    from demo.rehearsal import start  # noqa: PLC0415 - the rehearsal's own parts

    home = Settings.load().home / "up"
    with output.errors_as_exit_codes(), start(home, persons=persons, seed=seed) as stage:
        folder = Path(stage.environment["AIRFLOW_HOME"])
        made = logins.make(folder, stage.hub(0).catalogue.agencies)
        environment = (
            stage.at(0)
            | dict(made.environment)
            | {
                "AIRFLOW__API__PORT": str(port),
                "AIRFLOW__API__HOST": "127.0.0.1",
                "AIRFLOW__API__BASE_URL": f"http://127.0.0.1:{port}",
                "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
            }
        )
        password = made.passwords[logins.ADMIN]
        output.say(f"Airflow: http://127.0.0.1:{port}  user: admin  password: {password}")
        output.say(
            f"Portal:  http://127.0.0.1:{port}/onecard/  a steward of each agency: its name,"
        )
        output.say(f"         e.g. hrss, and the password in {made.file}")
        output.say(f"logs in {folder}; Ctrl-C ends Airflow and the agencies")
        server = subprocess.Popen(
            [sys.executable, "-m", "airflow", "standalone"],
            env=environment,
            start_new_session=True,
            stdout=(folder / "standalone.log").open("w"),
            stderr=subprocess.STDOUT,
        )
        try:
            signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
            server.wait()
        except KeyboardInterrupt:
            output.say("ending")
        finally:
            _end_group(server)


def _end_group(server: subprocess.Popen[bytes]) -> None:
    """End a process and its children: a signal to its pid alone orphans them."""
    if server.poll() is None:
        os.killpg(server.pid, signal.SIGTERM)
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()


def _night(stage: Rehearsal, day: int, *, quiet: bool) -> dict[str, Any]:
    """One night in a process of its own; prints its tables."""
    from onecard.operations.night import agreements, datasets  # noqa: PLC0415
    from onecard.operations.night_report import write_report  # noqa: PLC0415 - templates only where needed

    hub = stage.hub(day)
    with database.connect(hub.address, autocommit=True) as connection:
        before = max((t.id for t in transfer_history.latest(connection)), default=0)
    night = Path(__file__).parents[1] / "dags" / "night.py"
    started = time.monotonic()
    done = subprocess.run(  # noqa: S603 - our own interpreter and file
        [sys.executable, str(night)], env=stage.at(day), capture_output=True, text=True, check=False
    )
    seconds = time.monotonic() - started
    log = stage.home / f"night-{day}.log"
    log.write_text(done.stdout + done.stderr)
    with database.connect(hub.address, autocommit=True) as connection:
        transfers = [t for t in transfer_history.since(connection) if t.id > before]
    if not quiet:
        _print_tables(hub, transfers, day)
    in_transfers = sum(t.seconds for t in transfers)
    expected = len(datasets(hub)) + len(agreements(hub))
    ended = sum(t.status in ("published", "confirmed") for t in transfers)
    if not quiet:
        output.say(
            f"night {day}: {ended} transfers of {expected} subjects in {seconds:.1f} s,"
            f" {in_transfers:.1f} s of it in transfers"
        )
        for transfer in transfers:
            if transfer.status in ("failed", "held"):
                output.say(f"{transfer.status}: {transfer.subject}: {transfer.message}")
    if not transfers and done.returncode:
        msg = f"the night did not start; see {log}"
        raise FatalError(msg)
    return {
        "exit_code": done.returncode,
        "night_seconds": round(seconds, 1),
        "transfer_seconds": round(in_transfers, 1),
        "transfers": ended,
        "report": str(write_report(hub, before)),
        "log": str(log),
    }


def _history(
    stage: Rehearsal, nights: tuple[int, int], city: tuple[int, int], *, quiet: bool
) -> dict[str, Any]:
    """The nights from the first to the last, in a process of their own, without Airflow."""
    first, last = nights
    started = time.monotonic()
    log = stage.home / "history.log"
    arguments = ["--home", stage.home, "--seed", city[0], "--persons", city[1]]
    arguments += ["--first", first, "--last", last]
    environment = stage.at(last) | {
        "ONECARD_DEMO_AGENCIES": stage.city.postgres_url,
        "POLARS_MAX_THREADS": "1",  # small batches: more threads only wait for each other
    }
    with log.open("w") as errors:
        running = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            [sys.executable, "-m", "demo.history", *map(str, arguments)],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
        with output.progress("history", last - first + 1, shown=not quiet) as advance:
            for _ in running.stdout or ():
                advance()
        code = running.wait()
    if code:
        msg = f"the nights of the history did not all end well; see {log}"
        raise FatalError(msg)
    seconds = round(time.monotonic() - started, 1)
    if not quiet:
        output.say(f"history: {last - first + 1} more nights in {seconds} s")
    return {"history_seconds": seconds}


def _reports(hub: Hub, *, quiet: bool) -> list[str]:
    """The agencies' reports of the last night's month, of the month before and of the last day."""
    from onecard.operations.reports import write_due  # noqa: PLC0415 - charts are heavy

    started = time.monotonic()
    files = write_due(hub, looking_back=True)
    if not quiet:
        folder = hub.settings.home / "reports"
        seconds = time.monotonic() - started
        output.say(f"{len(files)} agencies' reports in {seconds:.1f} s: {folder}")
    return [str(f) for f in files]


def _print_tables(hub: Hub, transfers: list[Transfer], day: int) -> None:
    collects = [t for t in transfers if t.direction == "collect"]
    output.table(
        f"night {day}: collected",
        ("dataset", "status", "read", "published", "unchanged", "quarantined", "dedup.", "seconds"),
        [
            (
                t.subject,
                t.status,
                t.counts.rows_read,
                t.counts.published,
                t.counts.unchanged,
                t.counts.quarantined,
                t.counts.deduplicated,
                t.seconds,
            )
            for t in collects
        ],
    )
    deliveries = [t for t in transfers if t.direction == "deliver"]
    output.table(
        f"night {day}: delivered",
        ("agreement", "consumer", "over", "status", "rows", "seconds"),
        [
            (
                t.subject,
                _consumer(hub, t.subject),
                _over(hub, t.subject),
                t.status,
                t.sent_rows,
                t.seconds,
            )
            for t in deliveries
        ],
    )


def _consumer(hub: Hub, agreement: str) -> str:
    return hub.catalogue.agencies[hub.catalogue.agreement(agreement).consumer].short


def _over(hub: Hub, agreement: str) -> str:
    delivery = hub.catalogue.agreement(agreement).delivery
    return hub.connections.get(delivery.connection).conn_type if delivery else ""


def _prove(hub: Hub, *, quiet: bool) -> bool:
    """Audit log, receipts and one resident's disclosures."""
    from demo.proof import prove  # noqa: PLC0415 - the rehearsal's own parts

    proof = prove(hub)
    if not quiet:
        number, lines = proof.resident
        columns = ("at", "consumer", "agreement", "purpose", "status")
        title = f"who received data of resident {number}"
        output.table(title, columns, [[str(line[c]) for c in columns] for line in lines])
        verdict = proof.verdict
        state = "verified" if verdict.ok else f"NOT verified: {verdict.problem}"
        output.say(f"audit log of {verdict.entries} entries: {state}")
        output.say(f"receipts: {proof.receipted} valid of {proof.deliveries} deliveries")
    return bool(proof.holds)


def _verify(stage: Rehearsal, day: int, *, quiet: bool) -> bool:
    from demo.verify import verify  # noqa: PLC0415 - the rehearsal's own parts

    verdicts = verify(stage.hub(day), stage.city.home / "truth")
    exact = not any(v.missed or v.wrong for v in verdicts.values())
    if not quiet:
        output.table(
            "verified",
            ("dataset", "planted", "found", "missed", "wrong"),
            [(d, v.planted, v.found, len(v.missed), len(v.wrong)) for d, v in verdicts.items()],
        )
        kinds = {rule for v in verdicts.values() for _, rule in v.kinds}
        total = sum(v.planted for v in verdicts.values())
        output.say(
            f"{total:,} planted defects of {len(kinds)} kinds: "
            + ("quarantine is exact" if exact else "quarantine DIFFERS")
        )
        for dataset, verdict in verdicts.items():
            for name, rows in (("missed", verdict.missed), ("wrong", verdict.wrong)):
                for _, reasons in rows[:5]:
                    output.say(f"{dataset}: {name}: {reasons}")
    return exact
