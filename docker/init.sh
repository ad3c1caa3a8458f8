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

secrets = Path("/run/secrets")
files = {name: secrets / f"airflow_{name}_password" for name in ("admin", "viewer")}
users = {name: file.read_text().rstrip("\n") for name, file in files.items()}  # as $(cat) does
file = Path(os.environ["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"])
file.write_text(json.dumps(users))
PYTHON
