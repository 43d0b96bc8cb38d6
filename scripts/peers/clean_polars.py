"""`clean` in polars: lazy and streaming; types, nulls and ranges, but no sums (these need a second pass).

clean_polars.py rounds.csv clean.csv
"""

import sys
import time

import golf
import polars as pl

started = time.perf_counter()
source, target = sys.argv[1:]

kinds = {"number": pl.Float64, "integer": pl.Int64, "text": pl.String, "date": pl.Date}
schema = {golf.SOURCE[name]: kinds[column["type"]] for name, column in golf.COLUMNS.items()}
rows = pl.scan_csv(source, schema_overrides=schema, null_values=golf.NULLS)
rows = rows.rename({golf.SOURCE["calendar_year"]: "calendar_year"})

# A null in a column that may be null is no reason to drop the row.
in_range = [
    pl.col(name)
    .is_between(low if low is not None else float("-inf"), high if high is not None else float("inf"))
    .fill_null(True)
    for name, (low, high) in golf.RANGES.items()
]
rows = rows.filter(
    pl.all_horizontal([pl.col(name).is_not_null() for name in golf.OUTPUT]), pl.all_horizontal(in_range)
)
rows.select(golf.OUTPUT).sink_csv(target)
golf.finished(started)
