"""The stewards' portal: pages of an agency's data quality, agreements and tickets.

In: a request and who asks. Out: pages that show a person the agencies granted to it, and no other.
Nothing here imports Airflow: `plugins/onecard_portal.py` hangs it into Airflow's web server.
"""
