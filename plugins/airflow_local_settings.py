"""Loaded by every Airflow process before it forks tasks: put this folder and `dags/` on PYTHONPATH.

No personal data gets into a log record (`onecard.base.redaction`). What tasks and DAG files import
is imported here, once, by the processes that fork them (`dags/warm.py`).
"""

import sys

from onecard.base import redaction

__all__ = ()
"""Airflow would take what is named here for settings of its own."""

redaction.install()

if sys.argv[1:2] in (["scheduler"], ["celery"]):
    import warm

    warm.tasks()
elif sys.argv[1:2] == ["dag-processor"]:
    import warm

    warm.dag_files()
