"""reconcile: datasets with their sources, inboxes with their agreements (airflow DAG file)."""

from onecard_factory import reconcile_dag

from connectors import READ_BACK
from onecard.base.settings import Settings
from schemas.models import catalogue

CATALOGUE = catalogue.load(Settings.load().schemas or catalogue.ROOT)

reconcile = reconcile_dag(
    CATALOGUE.collected.values(),
    [
        agreement
        for agreement in CATALOGUE.agreements.values()
        if agreement.delivery and agreement.delivery.connector in READ_BACK and not agreement.sealed
    ],
)
