"""`db-load partitions` in pandas: to_sql in one transaction, into a table that is there and empty.

    load_pandas.py rounds.csv mysql+pymysql://root@127.0.0.1:3306/bench TABLE

PyMySQL joins the rows of a chunk into large INSERTs itself; method="multi" takes ten times as long.
"""

import sys
import time

import golf
import pandas as pd
from sqlalchemy import create_engine

started = time.perf_counter()
source, url, table = sys.argv[1:]

rows = pd.read_csv(
    source, engine="c", keep_default_na=False, na_values=[""], dtype={"fin_text": "str", "teetime": "str"}
)
with create_engine(url).begin() as connection:
    rows.to_sql(table, connection, if_exists="append", index=False, chunksize=10_000)
golf.finished(started)
