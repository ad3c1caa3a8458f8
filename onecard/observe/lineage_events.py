"""One transfer as OpenLineage events, by the classes of `openlineage-python`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime

from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, Run, RunEvent, RunState
from openlineage.client.facet_v2 import (
    DatasetFacet,
    OutputDatasetFacet,
    RunFacet,
    column_lineage_dataset,
    error_message_run,
    job_type_job,
    output_statistics_output_dataset,
    schema_dataset,
)

from onecard.errors import OnecardError
from onecard.model.transfers import Ran
from onecard.observe.lineage_flow import NAMESPACE, PRODUCER, Flow, Named, Origin

MASKING = frozenset({"mask", "token"})


def events(flow: Flow, ran: Ran, run: str, failed: OnecardError | None) -> Iterator[RunEvent]:
    """START and the end of a run.

    Args:
        flow: what the transfer joins.
        ran: what the ledger says of it.
        run: the run's id, a UUID.
        failed: why it ended otherwise than well.
    """
    yield _event(flow, RunState.START, ran.started, Run(runId=run))
    facets: dict[str, RunFacet] = {}
    if failed is not None:
        says = f"{type(failed).__name__}: {failed}"
        facets["errorMessage"] = error_message_run.ErrorMessageRunFacet(says, "python")
    state = RunState.COMPLETE if failed is None else RunState.FAIL
    rows = ran.rows if failed is None else None
    at = ran.finished or datetime.now(UTC)
    yield _event(flow, state, at, Run(runId=run, facets=facets), rows)


def _event(
    flow: Flow, state: RunState, at: datetime, run: Run, rows: int | None = None
) -> RunEvent:
    kind = job_type_job.JobTypeJobFacet("BATCH", "ONECARD", jobType="TRANSFER")
    namespace = os.environ.get("OPENLINEAGE_NAMESPACE") or NAMESPACE
    return RunEvent(
        eventType=state,
        eventTime=at.astimezone(UTC).isoformat(),
        run=run,
        job=Job(namespace=namespace, name=flow.job, facets={"jobType": kind}),
        inputs=[_input(flow, named) for named in flow.inputs],
        outputs=[_output(flow, rows)],
        producer=PRODUCER,
    )


def _input(flow: Flow, named: Named) -> InputDataset:
    """An input with the columns that are read of it."""
    names = dict.fromkeys(
        o.field for origins in flow.columns.values() for o in origins if o.dataset == named
    )
    fields = [schema_dataset.SchemaDatasetFacetFields(name=name) for name in names]
    schema: dict[str, DatasetFacet] = {}
    if fields:
        schema["schema"] = schema_dataset.SchemaDatasetFacet(fields=fields)
    return InputDataset(namespace=named.namespace, name=named.name, facets=schema)


def _output(flow: Flow, rows: int | None) -> OutputDataset:
    fields = [
        schema_dataset.SchemaDatasetFacetFields(name=name, type=kind)
        for name, kind in flow.types.items()
    ]
    lineage = {
        name: column_lineage_dataset.Fields(inputFields=[_from(o) for o in origins])
        for name, origins in flow.columns.items()
    }
    counted: dict[str, OutputDatasetFacet] = {}
    if rows is not None:
        facet = output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet(rowCount=rows)
        counted["outputStatistics"] = facet
    return OutputDataset(
        namespace=flow.output.namespace,
        name=flow.output.name,
        facets={
            "schema": schema_dataset.SchemaDatasetFacet(fields=fields),
            "columnLineage": column_lineage_dataset.ColumnLineageDatasetFacet(fields=lineage),
        },
        outputFacets=counted,
    )


def _from(origin: Origin) -> column_lineage_dataset.InputField:
    plain = origin.treatment == "as_is"
    done = column_lineage_dataset.Transformation(
        type="DIRECT",
        subtype="IDENTITY" if plain else "TRANSFORMATION",
        description=origin.treatment,
        masking=origin.treatment in MASKING,
    )
    return column_lineage_dataset.InputField(
        namespace=origin.dataset.namespace,
        name=origin.dataset.name,
        field=origin.field,
        transformations=[done],
    )
