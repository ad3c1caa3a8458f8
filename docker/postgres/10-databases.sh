#!/bin/bash
# Makes the two databases and their owners; the postgres image runs it once, on an empty volume.
set -euo pipefail

psql --set=ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres \
     --set=onecard_password="$(cat /run/secrets/onecard_db_password)" \
     --set=airflow_password="$(cat /run/secrets/airflow_db_password)" <<'SQL'
CREATE ROLE onecard LOGIN PASSWORD :'onecard_password';
CREATE ROLE airflow LOGIN PASSWORD :'airflow_password';
CREATE DATABASE onecard OWNER onecard;
CREATE DATABASE airflow OWNER airflow;
-- Else the server's log quotes the key of a row that it refuses; only a superuser may say so.
ALTER DATABASE onecard SET log_error_verbosity = terse;
REVOKE CONNECT ON DATABASE onecard, airflow FROM PUBLIC;
SQL
