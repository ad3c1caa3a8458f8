#!/bin/bash
# One-shot job: brings both databases to this version and writes the logins of Airflow's web pages.
set -euo pipefail
umask 077

airflow db migrate
onecard db upgrade
python - <<'PYTHON'
import json
import os
from pathlib import Path

users = {"admin": "AIRFLOW_ADMIN_PASSWORD", "viewer": "AIRFLOW_VIEWER_PASSWORD"}
file = Path(os.environ["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"])
file.write_text(json.dumps({name: os.environ[variable] for name, variable in users.items()}))
PYTHON
