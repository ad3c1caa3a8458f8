"""housekeeping: retention, and the audit log verified, every day (airflow DAG file)."""

from onecard_factory import housekeeping_dag

housekeeping = housekeeping_dag()
