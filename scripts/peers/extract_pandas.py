"""`web-extract` of pages in pandas: the league table of each page of a folder, with lxml.

extract_pandas.py pages tables.csv
"""

import sys
import time
from pathlib import Path

import golf
import pandas as pd

started = time.perf_counter()
folder, target = sys.argv[1:]

HEADINGS = ["Pos", "Team", "P", "W", "D", "L", "GF", "GA", "Pts"]
tables = []
for path in sorted(Path(folder).iterdir()):
    (table,) = pd.read_html(path, attrs={"id": "league-table"}, flavor="lxml", encoding="utf-8")
    # Headings that are repeated between the rows, and rows that only hold them apart.
    table = table.loc[table["Team"].notna() & (table["Team"] != "Team"), HEADINGS]
    table.insert(0, "competition", path.stem)
    tables.append(table)
pd.concat(tables).to_csv(target, index=False)
golf.finished(started)
