"""`web-extract` of a CSV in polars: the same columns, types, dates and names of teams.

extract_polars.py read|scan teams.csv season.csv matches.csv

`read` reads it whole, `scan` is lazy and streaming.
"""

import sys
import time

import football
import golf
import polars as pl

started = time.perf_counter()
way, teams, source, target = sys.argv[1:]

kinds = {"integer": pl.Int64, "number": pl.Float64}
types = {member: kinds.get(kind, pl.String) for member, kind in football.MATCHES.values()}
names = football.names(teams)


def column(name):
    member, kind = football.MATCHES[name]
    cell = pl.col(member)
    if kind == "date":
        cell = cell.str.to_date("%d/%m/%Y")
    elif kind == football.TEAM:
        # A spelling that is not in the list is an error, as it is for web-extract.
        cell = cell.replace_strict(names)
    return cell.alias(name)


columns = [column(name) for name in football.MATCHES]
if way == "read":
    pl.read_csv(source, columns=list(types), schema_overrides=types).select(columns).write_csv(target)
else:
    pl.scan_csv(source, schema_overrides=types).select(columns).sink_csv(target)
golf.finished(started)
