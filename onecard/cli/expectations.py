"""Commands about the Great Expectations suites of the contracts: export, list."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from onecard.app.wiring import Hub
from onecard.cli import output
from onecard.cli.options import Json
from quality.expectations.export import export as write
from quality.expectations.suites import suite


def export(
    datasets: Annotated[list[str] | None, typer.Argument(help="Datasets; default: all.")] = None,
    *,
    out: Annotated[Path, typer.Option(help="Folder to write.")] = Path("expectations"),
    json: Json = False,
) -> None:
    """Write suites, custom expectations and a README: a folder that needs only GX.

    Args:
        datasets: ids; None: every contract.
        out: folder to write; made when it is not there.
        json: print JSON instead of text.
    """
    with output.errors_as_exit_codes():
        hub = Hub()
        chosen = datasets or sorted(hub.catalogue.contracts)
        contracts = [hub.catalogue.contract(dataset) for dataset in chosen]
        files = write(contracts, out, hub.settings.profile)
        if json:
            output.emit([str(file) for file in files])
        else:
            output.say(f"{len(files)} suite(s), onecard_expectations and README.md in {out}")


def list_suite(
    dataset: Annotated[str, typer.Argument(help="Dataset whose suite to list.")],
    *,
    json: Json = False,
) -> None:
    """List a dataset's expectations: field, rule, severity, kind, expectation."""
    with output.errors_as_exit_codes():
        hub = Hub()
        found = suite(hub.catalogue.contract(dataset), hub.settings.profile)["expectations"]
        if json:
            output.emit(
                [{**e["meta"], "severity": e["severity"], "expectation": e["type"]} for e in found]
            )
            return
        keys = ("field", "rule", "kind", "title")
        rows = [(*(e["meta"][k] for k in keys), e["severity"], e["type"]) for e in found]
        output.table(dataset, (*keys, "severity", "expectation"), rows)
