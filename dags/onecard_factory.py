"""Makes the DAGs from the catalogue: one task group per dataset, one task per agreement.

Nothing heavy is imported and nothing is connected to while Airflow parses this file.
XCom carries transfer ids and counts; rows and personal values never.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from datetime import timedelta
from typing import Any

import pendulum
from airflow.sdk import (
    DAG,
    get_current_context,
    get_parsing_context,
    task,
    task_group,
)
from airflow.sdk.exceptions import AirflowSkipException
from night_assets import AD_HOC, NIGHT_ENDS, NIGHT_OVER, ZONE, asset, tell, when_to_deliver
from task_hub import desk, final, hub_of

from onecard.errors import FatalError, HoldError, NotCollected
from schemas.models.agreement import Agreement
from schemas.models.contract import Contract

START = pendulum.datetime(2024, 1, 1, tz=ZONE)
"""Order 249 is in force since this day (article 20)."""

NIGHTLY = "0 2 * * *"
AFTER_NIGHT = f"0 {NIGHT_ENDS} * * *"
AFTER_DELIVERIES = "0 6 * * *"
AFTER_REPORTS = "0 7 * * *"
EVERY_MINUTE = "* * * * *"
WEEKLY = "0 4 * * 0"
"""Sunday 04:00: after the night's collects, before its deliveries."""
DEFAULTS = {
    "owner": "onecard",
    "retries": 3,
    "retry_delay": timedelta(minutes=2),
    "retry_exponential_backoff": True,
    "max_retry_delay": timedelta(minutes=20),
}


HELD = """\
Failed with `HELD for a person`: nothing is broken, and no retry helps. The log and the XCom `held`
say why, who may release it and with which command. Once a collect is released, clear this task: it
and `publish` find the work done, and deliveries start; without that they start at 05:00.
"""
"""What Airflow's page of a task says that can be held."""


def asked_for(dag_id: str) -> bool:
    """Whether a DAG is to be made: a task parses its file for its own DAG only.

    Args:
        dag_id: of a file that makes several.
    """
    wanted = get_parsing_context().dag_id
    return wanted is None or wanted == dag_id


@task
def stage(dataset: str, audit: str) -> int:
    """Read, check and stage one dataset; returns the transfer's id."""
    try:
        return int(hub_of(audit).collect(dataset).stage())
    except (FatalError, HoldError) as error:
        raise final(error, dataset) from None


@task(doc_md=HELD)
def audit_staged(dataset: str, transfer: int, audit: str) -> int:
    """Run the dataset-level expectations on the staged rows; returns the transfer to publish.

    Args:
        dataset: id, e.g. `hrss/card_master`.
        transfer: the staged transfer's id.
        audit: engine: `sql` or `gx`.
    """
    try:
        return int(hub_of(audit).collect(dataset).audited(transfer))
    except (FatalError, HoldError) as error:
        raise final(error, dataset) from None


@task
def publish(dataset: str, transfer: int) -> dict[str, int]:
    """Publish the staged rows; emits the dataset's asset, by which deliveries start."""
    try:
        done = hub_of("sql").collect(dataset).published(transfer)
    except (FatalError, HoldError) as error:
        raise final(error, dataset) from None
    tell(dataset)
    return {
        "transfer": done.transfer,
        "version": done.version,
        "read": done.counts.rows_read,
        "published": done.counts.published,
        "quarantined": done.counts.quarantined,
    }


@task(doc_md=HELD)
def deliver(agreement: str) -> dict[str, int]:
    """Send what one agreement's consumer does not have yet; nothing due is a success, and cheap.

    The look at the end of the night also tries again what failed before, so it skips none.
    Skipped while a dataset that it needs was never collected: that is no fault of the delivery.
    """
    from onecard.operations.delivery import deliver as run  # noqa: PLC0415 - heavy: not while parsing

    try:
        done = run(hub_of("sql"), agreement)
    except NotCollected as error:
        raise AirflowSkipException(str(error)) from None
    except (FatalError, HoldError) as error:
        raise final(error, agreement) from None
    return {"transfer": done.transfer or 0, "rows": done.rows, "parts": done.parts}


@task
def stand_by() -> str:
    """Skip this run while the live lane is at work; the log and the XCom `lane` say why.

    Returns:
        Why the run goes on.
    """
    from onecard.operations.backstop import watch  # noqa: PLC0415 - heavy: not while parsing

    try:
        found = watch(desk())
    except (FatalError, HoldError) as error:
        raise final(error) from None
    get_current_context()["ti"].xcom_push(key="lane", value=found.says)
    if found.alive:
        raise AirflowSkipException(found.says)
    return found.says


@task
def end_night() -> None:
    """Emit that the night is over."""


@task
def review_challenges() -> int:
    """Note which corrections the night's collects have seen; returns how many."""
    from onecard.stewardship import challenges  # noqa: PLC0415 - heavy: not while parsing

    try:
        return len(challenges.review(hub_of("sql")))
    except (FatalError, HoldError) as error:
        raise final(error) from None


@task
def write_reports() -> int:
    """The night's page, the agencies' reports of day and month; on the first the month before's."""
    import hub_metrics  # noqa: PLC0415 - as in `hub_of`

    from onecard.operations.night_report import write_report  # noqa: PLC0415 - as heavy as that
    from onecard.operations.reports import write_due  # noqa: PLC0415 - heavy: not while parsing

    try:
        hub = hub_of("sql")
        hub_metrics.attention(hub)
        return len([write_report(hub), *write_due(hub)])
    except (FatalError, HoldError) as error:
        raise final(error) from None


@task(doc_md=HELD)
def reconcile(dataset: str) -> dict[str, int]:
    """Compare one dataset with its source, and heal it; fails when a person must decide."""
    from onecard.reconcile.dataset import reconcile as compare  # noqa: PLC0415 - heavy: not while parsing

    try:
        done = compare(hub_of("sql"), dataset)
        done.check()
    except NotCollected as error:
        raise AirflowSkipException(str(error)) from None
    except (FatalError, HoldError) as error:
        raise final(error) from None
    names = ("missing", "extra", "differing", "waiting", "healed", "tombstoned")
    return {name: int(getattr(done, name)) for name in names}


@task
def keep_house() -> dict[str, int]:
    """Drop what was kept long enough, fold, verify the audit log; fails when that is not whole."""
    from onecard.operations.housekeeping import keep_house as keep  # noqa: PLC0415 - heavy: not while parsing

    try:
        done = keep(hub_of("sql"))
        done.check()
    except (FatalError, HoldError) as error:
        raise final(error) from None
    return {
        "purged": done.purged,
        "expired_months": done.expired_months,
        "folded": done.folded,
        "audit_entries": done.verdict.entries,
    }


@task(doc_md=HELD)
def reconcile_inbox(agreement: str) -> dict[str, int]:
    """Compare one inbox with what its consumer should hold, and heal it.

    Fails when a person must decide. An inbox whose consumer takes the parcels away is `unjudged`:
    the ledger says so, and nothing fails.
    """
    from onecard.reconcile.inbox import reconcile_inbox as compare  # noqa: PLC0415 - heavy

    try:
        done = compare(hub_of("sql"), agreement)
        done.check()
    except NotCollected as error:
        raise AirflowSkipException(str(error)) from None
    except (FatalError, HoldError) as error:
        raise final(error) from None
    names = ("agreeing", "missing", "extra", "differing", "waiting", "healed")
    return {name: int(getattr(done, name)) for name in names}


def scheduled(dag_id: str, **how: Any) -> DAG:  # noqa: ANN401 - what a DAG takes
    """A DAG of ours: one run at a time, no run for the past."""
    usual = {"start_date": START, "catchup": False, "max_active_runs": 1, "default_args": DEFAULTS}
    return DAG(dag_id, **{**usual, **how})


def collect_group(contract: Contract, audit: str, outlets: Sequence[Any] = ()) -> Any:  # noqa: ANN401 - an Airflow XComArg
    """Stage → audit → publish of one dataset; returns the publishing task.

    Args:
        contract: of the dataset; in the place of `stage` stands a task for each of its partitions,
            if it names any.
        audit: engine: `sql` or `gx`.
        outlets: assets that its publication emits.
    """

    @task_group(group_id=contract.id.split("/")[1], tooltip=contract.title)
    def group() -> Any:  # noqa: ANN401 - an Airflow XComArg
        transfer = _staged(contract, audit)
        checked = audit_staged(contract.id, transfer, audit)
        return publish.override(outlets=list(outlets))(contract.id, checked)

    return group()


def _staged(contract: Contract, audit: str) -> Any:  # noqa: ANN401 - an Airflow XComArg
    """The staged transfer, by one task or by several workers."""
    if contract.source.partition is None:
        return stage(contract.id, audit)
    from collect_parts import staged  # noqa: PLC0415 - it imports this file

    return staged(contract, contract.source.partition)


def collect_dag(agency: str, title: str, contracts: Iterable[Contract]) -> DAG:
    """The nightly collect of one agency's datasets.

    Args:
        agency: id; names the DAG.
        title: the agency's title, for the description.
        contracts: its datasets, a group of tasks each.
    """
    with scheduled(
        f"collect_{agency}",
        schedule=NIGHTLY,
        tags=["collect", agency],
        description=f"采集：{title}",
    ) as dag:
        for contract in contracts:
            collect_group(contract, audit="gx", outlets=(asset(contract.id), AD_HOC))
    return dag


def deliver_dag(
    consumer: str, title: str, agreements: Iterable[Agreement], nightly: Container[str]
) -> DAG:
    """Deliveries to one consumer: when all that they read is published, and when the night is over.

    Args:
        consumer: id; names the DAG.
        title: the consumer's title, for the description.
        agreements: those that grant it something, a task each.
        nightly: datasets that deliveries wait for, see `when_to_deliver`.
    """
    listed = list(agreements)
    datasets = list(dict.fromkeys(d for a in listed for d in a.datasets))
    with scheduled(
        f"deliver_{consumer}",
        schedule=when_to_deliver(datasets, nightly),
        tags=["deliver", consumer],
        description=f"提供：{title}",
    ) as dag:
        for agreement in listed:
            deliver.override(task_id=agreement.id)(agreement.id)
    return dag


def night_over_dag() -> DAG:
    """The end of the night: each delivery starts with what there is.

    Nobody has to switch it on: it moves no data, and starts only deliveries that are switched on.
    """
    with scheduled(
        "night_over",
        schedule=AFTER_NIGHT,
        is_paused_upon_creation=False,
        tags=["deliver"],
        description="夜间采集截止：提供不再等待",
    ) as dag:
        end_night.override(outlets=[NIGHT_OVER])()
    return dag


def event_dag(contracts: Iterable[Contract], agreements: Iterable[Agreement]) -> DAG:
    """The backstop of the live lane: collect the event datasets and deliver their event flows.

    While `onecard live` is at work, its first task skips all others, so that a minute costs one
    short task. What it publishes starts no other delivery: nothing waits for a dataset of the lane.

    Args:
        contracts: of the event datasets.
        agreements: of the event flows.
    """
    with scheduled(
        "card_status",
        schedule=EVERY_MINUTE,
        default_args={**DEFAULTS, "retries": 0},
        tags=["event"],
        description="卡状态事件：实时通道中断时每分钟采集并提供",
    ) as dag:
        listed = list(agreements)
        for contract in contracts:
            done = collect_group(contract, audit="sql")
            for agreement in listed:
                if agreement.dataset == contract.id:
                    done >> deliver.override(task_id=agreement.id)(agreement.id)
        first = list(dag.roots)
        stand_by() >> first
    return dag


def reports_dag() -> DAG:
    """After the night: which corrections were seen, then the agencies' reports."""
    with scheduled(
        "quality_reports",
        schedule=AFTER_DELIVERIES,
        tags=["reports"],
        description="质量报告：日报与月报",
    ) as dag:
        review_challenges() >> write_reports()
    return dag


def reconcile_dag(contracts: Iterable[Contract], agreements: Iterable[Agreement]) -> DAG:
    """Every dataset against its source, then every inbox against its agreement, weekly.

    One after the other, to spare the agencies. An inbox is compared when its datasets were, however
    that ended.
    """
    with scheduled(
        "reconcile",
        schedule=WEEKLY,
        start_date=START,
        catchup=False,
        max_active_runs=1,
        max_active_tasks=1,
        default_args=DEFAULTS,
        tags=["reconcile"],
        description="对账：已发布数据与数据源、收件库与协议逐键比对",
    ) as dag:
        done = {c.id: reconcile.override(task_id=c.id.replace("/", "."))(c.id) for c in contracts}
        for agreement in agreements:
            inbox = reconcile_inbox.override(task_id=agreement.id, trigger_rule="all_done")(
                agreement.id
            )
            for dataset in agreement.datasets:
                if dataset in done:
                    done[dataset] >> inbox
    return dag


def housekeeping_dag() -> DAG:
    """Every day: retention of rejected rows, and the audit log verified."""
    with scheduled(
        "housekeeping",
        schedule=AFTER_REPORTS,
        tags=["housekeeping"],
        description="日常维护：隔离数据到期清除、审计日志校验",
    ) as dag:
        keep_house()
    return dag
