"""deliver_<consumer>: when all that it reads is published, or the night over (airflow DAG file)."""

from onecard_factory import asked_for, deliver_dag

from onecard.base.settings import Settings
from schemas.models import catalogue

CATALOGUE = catalogue.load(Settings.load().schemas or catalogue.ROOT)
NIGHTLY = frozenset(
    c.id
    for c in CATALOGUE.contracts.values()
    if c.lane != "event" and not CATALOGUE.onboarding(c.id)
)

for consumer, entry in CATALOGUE.agencies.items():
    agreements = CATALOGUE.agreements_of(consumer)
    if agreements and asked_for(f"deliver_{consumer}"):
        globals()[f"deliver_{consumer}"] = deliver_dag(consumer, entry.title, agreements, NIGHTLY)
