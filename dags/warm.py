"""What every task needs, loaded once by the process that its tasks are forked from.

A task of Airflow is a fork that ends with it: whatever it imports or reads itself, the next one
imports and reads again. Imports and the catalogue only: no connection, no thread, no key and no
row may be there before the fork. A changed YAML file is read by the next task all the same, since
the catalogue is kept under a digest of its bytes.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import suppress
from importlib import import_module
from pkgutil import walk_packages

from onecard.base.settings import Settings
from onecard.errors import OnecardError
from schemas.models import catalogue

AIRFLOW = ("airflow.dag_processing.dagbag", "airflow.sdk.execution_time.task_runner")
"""Airflow's own part of a task, which it imports after the fork."""
DAG_FILES = ("onecard_factory",)
"""What the DAG files need, which the DAG processor parses in forks too."""
ROOMS = (
    "connectors",
    "onecard.base",
    "onecard.collect",
    "onecard.deliver",
    "onecard.model",
    "onecard.store",
    "quality.privacy",
    "quality.rows",
)
"""Rooms of which tasks need more or less all, many parts of them only when a task is under way."""
OF_TASKS = (
    "hub_metrics",
    "onecard.app.wiring",
    "onecard.operations.backstop",
    "onecard.operations.delivery",
    "onecard.stewardship.challenges",
    "quality.datasets.gx_audit",
)
DRIVERS = (
    "adbc_driver_postgresql.dbapi",
    "airflow.dag_processing.bundles.local",
    "airflow.sdk.definitions.asset.metadata",
    "airflow.sdk.execution_time.cache",
    "asyncssh",
    "cryptography.hazmat.backends.openssl.backend",
    "encodings.gb18030",
    "jinja2.ext",
    "polars_hash",
    "pyarrow.dataset",
    "pyarrow.parquet",
)
"""What others import at the first call only."""


def dag_files() -> None:
    """What a DAG file needs, and the catalogue."""
    for module in DAG_FILES:
        import_module(module)
    with suppress(OnecardError):  # whoever needs what is broken says so
        catalogue.load(Settings.load().schemas or catalogue.ROOT)


def tasks() -> None:
    """What tasks need that run in forks of this process."""
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    logging.getLogger("great_expectations").setLevel(logging.WARNING)
    dag_files()
    for module in (*AIRFLOW, *OF_TASKS, *DRIVERS, *_modules()):
        with suppress(ImportError):  # of a package that is not here: a task that needs it says so
            import_module(module)


def _modules() -> Iterator[str]:
    """All modules of the rooms."""
    for room in ROOMS:
        folder = import_module(room).__path__
        yield from (found.name for found in walk_packages(folder, f"{room}."))
