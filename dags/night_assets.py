"""Airflow assets: what collects tell the deliveries, and when a delivery starts (ADR 0031).

In a night a delivery runs once: when all datasets that it reads have been published, or when the
night is over. What is published ad hoc (by hand, cleared after a release, or later than the night)
starts its deliveries by itself.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from typing import Any

import pendulum
from airflow.sdk import Asset, AssetAlias, AssetAll, AssetAny, get_current_context

ZONE = "Asia/Shanghai"
NIGHT_ENDS = 5
"""Hour of the day at which deliveries wait no longer."""
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
        nightly: those that the night collects; another one keeps no delivery waiting.
    """
    awaited = [asset(d) for d in datasets if d in nightly]
    night = [AssetAll(*awaited)] if awaited else []
    return AssetAny(*night, NIGHT_OVER, *(ad_hoc(d) for d in datasets))


def tell(dataset: str) -> None:
    """Emit an ad hoc publication as such, in the task that has published.

    Args:
        dataset: id, e.g. `hrss/card_master`.
    """
    context = get_current_context()
    if is_ad_hoc(context["dag_run"], pendulum.now(ZONE)):
        context["outlet_events"][AD_HOC].add(ad_hoc(dataset))


def is_ad_hoc(run: Any, now: pendulum.DateTime) -> bool:  # noqa: ANN401 - as Airflow gives it
    """Whether a publication is not one that deliveries wait for.

    Args:
        run: the DAG run: by whom, when it began, and whether somebody has cleared it.
        now: with a zone.
    """
    begun = pendulum.instance(run.start_date).in_timezone(ZONE)
    end = begun.at(NIGHT_ENDS)
    if end <= begun:
        end = end.add(days=1)
    return run.run_type != "scheduled" or bool(run.clear_number) or now >= end
