"""card_status: the event flows, each minute that `onecard live` is silent (airflow DAG file)."""

from onecard_factory import event_dag

from onecard.base.settings import Settings
from schemas.models import catalogue

CATALOGUE = catalogue.load(Settings.load().schemas or catalogue.ROOT)

card_status = event_dag(
    [c for c in CATALOGUE.collected.values() if c.lane == "event"],
    [a for a in CATALOGUE.agreements.values() if a.mode == "event"],
)
