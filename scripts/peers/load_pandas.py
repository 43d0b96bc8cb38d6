"""`db-load rounds` in pandas: to_sql in multi-row inserts, one transaction, into a table that is there and empty.

    load_pandas.py rounds.csv mysql+pymysql://root@127.0.0.1:3306/bench TABLE
"""

import sys
import time

import golf
import pandas as pd
from sqlalchemy import create_engine

started = time.perf_counter()
source, url, table = sys.argv[1:]

rows = pd.read_csv(source, engine="c", keep_default_na=False, na_values={name: [""] for name in pd.read_csv(source, nrows=0)},
                   dtype={"fin_text": "str", "teetime": "str"})
with create_engine(url).begin() as connection:
    rows.to_sql(table, connection, if_exists="append", index=False, chunksize=1000, method="multi")
golf.finished(started)
