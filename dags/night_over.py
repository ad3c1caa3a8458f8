"""night_over: deliveries wait no longer for what the night has not published (airflow DAG file)."""

from onecard_factory import night_over_dag

night_over = night_over_dag()
