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
users = {name: (secrets / f"airflow_{name}_password").read_text() for name in ("admin", "viewer")}
file = Path(os.environ["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"])
file.write_text(json.dumps(users))
PYTHON
