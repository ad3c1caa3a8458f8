"""Loaded by every Airflow process before it forks tasks (put this folder on PYTHONPATH).

No personal data gets into a log record (`onecard.base.redaction`).
Great Expectations takes three seconds to import; imported here it costs a task 0.3 s.
"""

import logging
import os
import sys

from onecard.base import redaction

redaction.install()

if any(word in " ".join(sys.argv) for word in ("scheduler", "celery", "standalone", "night")):
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    logging.getLogger("great_expectations").setLevel(logging.WARNING)
    import quality.datasets.gx_audit  # noqa: F401
