"""reconcile: every dataset against its source, weekly (airflow DAG file)."""

from onecard_factory import reconcile_dag

from onecard.settings import Settings
from schemas import catalogue

CATALOGUE = catalogue.load(Settings.load().schemas or catalogue.ROOT)

reconcile = reconcile_dag(CATALOGUE.contracts.values())
