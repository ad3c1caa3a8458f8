"""One failing import per broken YAML file, so that Airflow's UI shows it (airflow DAG file).

The other files' DAGs are made without it; nothing here fails while all YAML is valid.
"""

from onecard.settings import Settings
from schemas import catalogue
from schemas.problem import InvalidFile

PROBLEMS = catalogue.load(Settings.load().schemas or catalogue.ROOT).problems

if PROBLEMS:
    raise InvalidFile(PROBLEMS)
