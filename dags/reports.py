"""quality_reports: the agencies' daily and monthly reports after the night (airflow DAG file)."""

from onecard_factory import reports_dag

quality_reports = reports_dag()
