"""Lineage as the page shows it: what concerns the page, as lines and as a picture."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from markupsafe import Markup

from onecard.base.times import shown
from onecard.model.holds import agency_of
from onecard.observe.lineage_flow import Named
from onecard.observe.lineage_links import LastRun, Link
from onecard.portal import agreement_lines, flow_chart
from onecard.portal.answers import dataset_name
from onecard.portal.flow_chart import Box, Chart
from onecard.portal.guard import Visit
from onecard.portal.pages import Words
from onecard.stewardship.agreement_words import TREATMENTS
from schemas.models.catalogue import Catalogue

LAYERS = ("source", "dataset", "agreement", "consumer")


@dataclass(frozen=True, slots=True)
class RunWords:
    """How a last run went, in words."""

    state: str
    bad: bool
    at: datetime | None
    rows: int | None


@dataclass(frozen=True, slots=True)
class DatasetLine:
    """A dataset of the hub.

    Attributes:
        source: where its rows come from; None: it is another agency's, or not collected.
        readers: agreements on the page that read it.
    """

    id: str
    agency: str
    source: Named | None
    run: RunWords | None
    readers: int


@dataclass(frozen=True, slots=True)
class AgreementFlow:
    """An agreement under which rows are delivered."""

    id: str
    datasets: Sequence[str]
    consumer: str
    run: RunWords


@dataclass(frozen=True, slots=True)
class ColumnLine:
    """Where a column comes from.

    Attributes:
        subject: dataset, or agreement under which it leaves.
        of: the origin's table, or the dataset.
        treatment: in words; empty: it comes as it is.
    """

    subject: str
    column: str
    of: str
    origin: str
    treatment: str


@dataclass(frozen=True, slots=True)
class Lineage:
    """What concerns a page."""

    datasets: Sequence[DatasetLine]
    agreements: Sequence[AgreementFlow]
    columns: Sequence[ColumnLine]


def concerning(visit: Visit, links: Iterable[Link], chosen: str) -> Lineage:
    """What concerns the page's agency, or one dataset of it.

    Args:
        visit: names agency, catalogue and language.
        links: of the whole city.
        chosen: a dataset, or an empty text.
    """
    catalogue, agency = visit.catalogue, visit.agency
    known = [x for x in links if _known(catalogue, x)]
    of_table = {c.table: d for d, c in catalogue.contracts.items()}
    collects = {x.subject: x for x in known if x.collects and _of_agency(agency, x.subject)}
    sent = {
        x.subject: (x, _read(of_table, x))
        for x in known
        if not x.collects and _concerned(visit, x.subject)
    }
    if chosen:
        collects = {d: x for d, x in collects.items() if d == chosen}
        sent = {a: (x, read) for a, (x, read) in sent.items() if chosen in read}
    say = Words(visit.language)
    read_by: dict[str, int] = dict.fromkeys(collects, 0)
    for _, read in sent.values():
        for dataset in read:
            read_by[dataset] = read_by.get(dataset, 0) + 1
    datasets = [_dataset(say, d, collects.get(d), n) for d, n in sorted(read_by.items())]
    agreements = [
        AgreementFlow(a, read, catalogue.agreements[a].consumer, _run(say, x.run))
        for a, (x, read) in sorted(sent.items())
    ]
    shown_links = [*collects.values(), *(x for x, _ in sent.values())]
    columns = list(_columns(visit, shown_links, of_table)) if chosen else []
    return Lineage(datasets, agreements, columns)


def _known(catalogue: Catalogue, link: Link) -> bool:
    return link.subject in (catalogue.contracts if link.collects else catalogue.agreements)


def _of_agency(agency: str, dataset: str) -> bool:
    return not agency or agency_of(dataset) == agency


def _concerned(visit: Visit, agreement: str) -> bool:
    found = visit.catalogue.agreements[agreement]
    return not visit.agency or agreement_lines.concerns(found, visit.agency)


def _read(of_table: dict[str, str], link: Link) -> list[str]:
    """Datasets that a delivery reads, by the tables that its event names."""
    tables = [named.name.rpartition(".")[2] for named in link.inputs]
    return [of_table[table] for table in tables if table in of_table]


def _dataset(say: Words, dataset: str, link: Link | None, readers: int) -> DatasetLine:
    source = link.inputs[0] if link and link.inputs else None
    run = _run(say, link.run) if link else None
    return DatasetLine(dataset, agency_of(dataset), source, run, readers)


def _run(say: Words, run: LastRun | None) -> RunWords:
    if run is None:
        return RunWords(say("run_never"), bad=False, at=None, rows=None)
    return RunWords(say(f"run_{run.state}"), run.state in ("fail", "hold"), run.at, run.rows)


def _columns(visit: Visit, links: Iterable[Link], of_table: dict[str, str]) -> Iterable[ColumnLine]:
    for link in links:
        for column, origins in link.columns.items():
            for origin in origins:
                table = origin.dataset.name.rpartition(".")[2]
                of = origin.dataset.name if link.collects else of_table.get(table, table)
                yield ColumnLine(
                    link.subject, column, of, origin.field, _treatment(visit, origin.treatment)
                )


def _treatment(visit: Visit, name: str) -> str:
    """A treatment in words; one that an event calls otherwise as it stands there."""
    return Words(visit.language).treatment(name) if name in TREATMENTS else name


def picture(visit: Visit, found: Lineage) -> Markup:
    """Sources, datasets, agreements and consumers.

    Args:
        visit: names catalogue and language.
        found: what is shown.
    """
    say = Words(visit.language)
    title = _titles(visit, say)
    sources: dict[str, Box] = {}
    arrows: list[tuple[str, str]] = []
    for line in found.datasets:
        if line.source is None:
            continue
        key = f"s {line.agency} {line.source.namespace}"
        sources[key] = Box(key, title(line.agency), line.source.namespace)
        arrows.append((key, f"d {line.id}"))
    consumers: dict[str, Box] = {}
    for flow in found.agreements:
        consumers[flow.consumer] = Box(f"c {flow.consumer}", title(flow.consumer))
        arrows += [(f"d {dataset}", f"a {flow.id}") for dataset in flow.datasets]
        arrows.append((f"a {flow.id}", f"c {flow.consumer}"))
    layers = (
        list(sources.values()),
        [
            _box(say, f"d {x.id}", dataset_name(visit, x.id), x.run, title(x.agency))
            for x in found.datasets
        ],
        [_box(say, f"a {x.id}", dataset_name(visit, x.id), x.run, "") for x in found.agreements],
        list(consumers.values()),
    )
    says = say(
        "lineage_says",
        sources=len(layers[0]),
        datasets=len(layers[1]),
        agreements=len(layers[2]),
        consumers=len(layers[3]),
    )
    headings = [say(f"lineage_{name}") for name in LAYERS]
    return flow_chart.drawn(Chart(headings, layers, arrows, say("lineage_picture"), says))


def _titles(visit: Visit, say: Words) -> Callable[[str], str]:
    known = visit.catalogue.agencies
    return lambda agency: say.agency(known[agency]) if agency in known else agency


def _box(say: Words, key: str, title: str, run: RunWords | None, otherwise: str) -> Box:
    """A box that says how its last run went."""
    if run is None:
        return Box(key, title, otherwise)
    parts = [run.state]
    if run.at is not None:
        parts.append(shown(run.at, "%m-%d %H:%M"))
    if run.rows is not None:
        parts.append(say("lineage_rows", n=f"{run.rows:,}"))
    return Box(key, title, " ".join(parts), run.bad)
