#!/bin/bash
# Gives a process what holds a secret, made of the files that its service sees in /run/secrets, and
# becomes that process: nothing of it stands in the compose file, `docker inspect` or the image.
set -euo pipefail

secret() { cat "/run/secrets/$1"; }
has() { [[ -r "/run/secrets/$1" ]]; }

if has onecard_db_password; then
  export ONECARD_DATABASE_URL="postgresql://onecard:$(secret onecard_db_password)@postgres/onecard"
fi
if has airflow_db_password; then
  address="postgresql+psycopg://airflow:$(secret airflow_db_password)@postgres/airflow"
  export AIRFLOW__DATABASE__SQL_ALCHEMY_CONN="$address" AIRFLOW__CELERY__RESULT_BACKEND="db+$address"
fi
if has redis_password; then
  export AIRFLOW__CELERY__BROKER_URL="redis://:$(secret redis_password)@redis:6379/0"
fi
if has airflow_fernet_key; then
  export AIRFLOW__CORE__FERNET_KEY="$(secret airflow_fernet_key)"
fi
if has airflow_secret_key; then
  export AIRFLOW__API__SECRET_KEY="$(secret airflow_secret_key)"
fi
if has airflow_jwt_secret; then
  export AIRFLOW__API_AUTH__JWT_SECRET="$(secret airflow_jwt_secret)"
fi
exec "$@"
