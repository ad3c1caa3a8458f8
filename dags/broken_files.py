"""One failing import per broken YAML file, so that Airflow's UI shows it (airflow DAG file).

The other files' DAGs are made without it; nothing here fails while all YAML is valid.
"""

from onecard.base.settings import Settings
from schemas.models import catalogue
from schemas.models.problem import InvalidFile

PROBLEMS = catalogue.load(Settings.load().schemas or catalogue.ROOT).problems

if PROBLEMS:
    raise InvalidFile(PROBLEMS)
