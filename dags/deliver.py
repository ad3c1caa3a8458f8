"""deliver_<consumer>: when all that its agreements read is published (airflow DAG file)."""

from onecard_factory import asked_for, deliver_dag

from onecard.base.settings import Settings
from schemas.models import catalogue

CATALOGUE = catalogue.load(Settings.load().schemas or catalogue.ROOT)
NIGHTLY = frozenset(d for d in CATALOGUE.contracts if not CATALOGUE.onboarding(d))

for consumer, entry in CATALOGUE.agencies.items():
    agreements = CATALOGUE.agreements_of(consumer)
    if agreements and asked_for(f"deliver_{consumer}"):
        globals()[f"deliver_{consumer}"] = deliver_dag(consumer, entry.title, agreements, NIGHTLY)
