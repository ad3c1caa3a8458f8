"""pandas with Great Expectations as a team would write it by hand; a part of the rows, scaled.

Arguments: source, target, rows.
"""

import os
import sys

os.environ["GX_ANALYTICS_ENABLED"] = "false"
import great_expectations as gx
import great_expectations.expectations as gxe
import pandas as pd
from sqlalchemy import create_engine

source, target, rows = sys.argv[1], sys.argv[2], int(sys.argv[3])
reader, writer = (
    create_engine(u.replace("postgresql://", "postgresql+psycopg2://")) for u in (source, target)
)
frame = pd.read_sql(f"SELECT * FROM hrss.ac01_card LIMIT {rows}", reader)

context = gx.get_context(mode="ephemeral")
batch = (
    context.data_sources.add_pandas("p")
    .add_dataframe_asset("cards")
    .add_batch_definition_whole_dataframe("all")
    .get_batch({"dataframe": frame})
)
suite = gx.ExpectationSuite(name="cards")
for column in ("AAZ500", "AAC002", "AAC003", "AAC004", "AAC006", "AAZ502", "source_updated_at"):
    suite.add_expectation(gxe.ExpectColumnValuesToNotBeNull(column=column))
for column, pattern in (
    ("AAZ500", r"^[0-9A-Z]{9}$"),
    ("AAC002", r"^\d{17}[\dX]$"),
    ("AAC067", r"^1[3-9]\d{9}$"),
    ("AAE010", r"^\d{16,19}$"),
    ("AAC003", r"^.{2,50}$"),
):
    suite.add_expectation(gxe.ExpectColumnValuesToMatchRegex(column=column, regex=pattern))
for column, codes in (
    ("AAC004", ["0", "1", "2", "9"]),
    ("AAZ502", ["0", "1", "2", "3", "4", "9"]),
    ("AAC058", ["01", "02", "03", "04", "99"]),
):
    suite.add_expectation(gxe.ExpectColumnValuesToBeInSet(column=column, value_set=codes))
suite.add_expectation(gxe.ExpectColumnValuesToBeUnique(column="AAZ500"))
assert batch.validate(suite).success
frame.to_sql(
    "cards", writer, schema="peer", index=False, if_exists="replace", method="multi", chunksize=1000
)
