"""`clean` in pandas: the C parser, only the columns that are needed, the same checks.

clean_pandas.py rounds.csv clean.csv
"""

import sys
import time

import golf
import pandas as pd

started = time.perf_counter()
source, target = sys.argv[1:]

kinds = {"number": "float64", "integer": "Int64", "text": "str", "date": "str"}
types = {golf.SOURCE[name]: kinds[column["type"]] for name, column in golf.COLUMNS.items()}
rows = pd.read_csv(source, engine="c", usecols=list(types), dtype=types, na_values=golf.NULLS)
rows = rows.rename(columns={golf.SOURCE["calendar_year"]: "calendar_year"})

for name, (low, high) in golf.RANGES.items():
    if low is not None and (rows[name] < low).any() or high is not None and (rows[name] > high).any():
        sys.exit(f"{source}: {name} is out of its range")
kept = rows.dropna(subset=golf.OUTPUT)
for sums in golf.IDENTITIES:
    misses = ((kept[sums["parts"]].sum(axis=1) - kept[sums["total"]]).abs() > sums["tolerance"]).sum()
    print(f"{sums['total']} misses the sum of its parts in {misses} rows", file=sys.stderr)
kept[golf.OUTPUT].to_csv(target, index=False)
golf.finished(started)
