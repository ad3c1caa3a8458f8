"""The stewards' portal: pages of an agency's data quality, agreements and tickets.

Nothing here imports Airflow. `plugins/onecard_portal.py` hangs the application into Airflow's web
server and tells it who the user is.
"""
