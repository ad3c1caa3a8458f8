#!/bin/sh
# Runs once, when the PostgreSQL volume is new: one role and database each for the hub and Airflow.
set -eu
for name in onecard airflow; do
  case $name in
    onecard) password=$ONECARD_DATABASE_PASSWORD ;;
    airflow) password=$AIRFLOW_DATABASE_PASSWORD ;;
  esac
  psql -v ON_ERROR_STOP=1 -v name="$name" -v password="$password" -U postgres <<'SQL'
CREATE ROLE :"name" LOGIN PASSWORD :'password';
CREATE DATABASE :"name" OWNER :"name";
SQL
done
