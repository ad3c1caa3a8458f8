"""dlt: one table from PostgreSQL to PostgreSQL; arguments: source, target, default|fast, [rows]."""

import os
import sys
import tempfile

source, target, mode = sys.argv[1:4]
rows = int(sys.argv[4]) if len(sys.argv) > 4 else None
os.environ["DESTINATION__POSTGRES__CREDENTIALS"] = target
os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
os.environ["RUNTIME__LOG_LEVEL"] = "ERROR"

import dlt  # noqa: E402
from dlt.sources.sql_database import sql_table  # noqa: E402

options = {"backend": "connectorx", "chunk_size": 200_000} if mode == "fast" else {}
if mode == "fast":
    options["backend_kwargs"] = {"conn": source, "return_type": "arrow"}
if rows:
    options["query_adapter_callback"] = lambda query, _table: query.limit(rows)
table = sql_table(credentials=source, table="ac01_card", schema="hrss", **options)
with tempfile.TemporaryDirectory() as folder:
    pipeline = dlt.pipeline(
        "bench", destination="postgres", dataset_name="peer", pipelines_dir=folder
    )
    more = {"loader_file_format": "parquet"} if mode == "fast" else {}
    pipeline.run(table, write_disposition="replace", **more).raise_on_failed_jobs()
