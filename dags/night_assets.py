"""Airflow assets: what collects tell the deliveries, and when a delivery starts (ADR 0031).

In the night a delivery starts when all datasets that it reads have been published. When the night
is over each one starts once more, with what there is: one that has sent everything finds nothing
due. What is published ad hoc (by hand, cleared after a release, or later than the night) starts its
deliveries by itself. Datasets of the event lane have nothing to do with it: the lane delivers them.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from datetime import timedelta
from typing import Any

import pendulum
from airflow.sdk import Asset, AssetAlias, AssetAll, AssetAny, get_current_context

ZONE = "Asia/Shanghai"
NIGHT_ENDS = 5
"""Hour of the day at which deliveries wait no longer."""
CLOCKS_APART = timedelta(minutes=5)
"""How far the clock of a worker may be behind the scheduler's. What is published so shortly before
the end of the night is ad hoc: else it might come after the last look without anybody noticing."""
NIGHT_OVER = Asset(name="night_over", uri="x-onecard://night_over")
"""Emitted every day when the night is over, whatever has failed."""
AD_HOC = AssetAlias("ad_hoc")
"""Lets a task emit, beside its dataset's asset, that of an ad hoc publication."""


def asset(dataset: str) -> Asset:
    """The Airflow asset of a dataset."""
    return Asset(name=dataset, uri=f"x-onecard://{dataset}")


def ad_hoc(dataset: str) -> Asset:
    """The asset of a dataset that is published ad hoc."""
    return Asset(name=f"{dataset}/ad_hoc", uri=f"x-onecard://{dataset}/ad_hoc")


def when_to_deliver(datasets: Sequence[str], nightly: Container[str]) -> AssetAny:
    """The schedule of deliveries.

    The last two also empty the queue of what was published since the last run: a night in which a
    dataset was lacking does not count for the next.

    Args:
        datasets: all that the deliveries read.
        nightly: those that deliveries wait for; another one keeps none waiting.
    """
    awaited = [asset(d) for d in datasets if d in nightly]
    night = [AssetAll(*awaited)] if awaited else []
    return AssetAny(*night, NIGHT_OVER, *(ad_hoc(d) for d in datasets))


def tell(dataset: str) -> None:
    """Emit an ad hoc publication as such, in the task that has published, if it may emit one.

    Args:
        dataset: id, e.g. `hrss/card_master`.
    """
    context = get_current_context()
    if AD_HOC in context["outlets"] and is_ad_hoc(context["dag_run"], pendulum.now(ZONE)):
        context["outlet_events"][AD_HOC].add(ad_hoc(dataset))


def is_ad_hoc(run: Any, now: pendulum.DateTime) -> bool:  # noqa: ANN401 - as Airflow gives it
    """Whether a publication is not one that deliveries wait for.

    A run that begins after its night, because its DAG was paused or no slot was free, is late from
    its first moment.

    Args:
        run: the DAG run: by whom, for when it was due, and whether somebody has cleared it.
        now: with a zone.
    """
    due = pendulum.instance(run.run_after).in_timezone(ZONE)
    late = now >= due.at(NIGHT_ENDS) - CLOCKS_APART
    return run.run_type != "scheduled" or bool(run.clear_number) or late
