"""collect_<agency>: every night, each agency's datasets into the registry (airflow DAG file)."""

from onecard_factory import asked_for, collect_dag

from onecard.base.settings import Settings
from schemas.models import catalogue

CATALOGUE = catalogue.load(Settings.load().schemas or catalogue.ROOT)

for agency, entry in CATALOGUE.agencies.items():
    contracts = [c for c in CATALOGUE.datasets_of(agency) if c.id in CATALOGUE.collected]
    if contracts and asked_for(f"collect_{agency}"):
        globals()[f"collect_{agency}"] = collect_dag(agency, entry.title, contracts)
