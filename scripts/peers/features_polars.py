"""`features` in polars: hourly series 24 hours ahead, or matches of two teams.

features_polars.py series|matches rows.csv features.csv
"""

import sys
import time

import polars as pl

started = time.perf_counter()
kind, source, target = sys.argv[1:]

if kind == "series":
    frame = pl.read_csv(source, try_parse_dates=True).sort(["series", "ts"])
    value = pl.col("requests")
    frame = frame.with_columns(*[value.shift(lag).over("series").alias(f"lag{lag}") for lag in (24, 48, 168, 336)])
    known = pl.col("lag24")
    frame = frame.with_columns(
        *[known.rolling_mean(window, min_samples=1).over("series").alias(f"mean{window}") for window in (24, 168)],
        known.ewm_mean(half_life=24, ignore_nulls=True).over("series").alias("decayed"),
    )
    frame.filter(known.is_not_null()).sort(["ts", "series"]).write_csv(target)
else:
    frame = pl.read_csv(source, schema_overrides={"date": pl.Date}).with_row_index("row")
    role = lambda own, other: frame.select(
        "row", "date", pl.col(own).alias("team"), pl.col(f"{own}_goals").alias("goals"),
        pl.col(f"{other}_goals").alias("conceded"), pl.lit(own).alias("role"),
    )
    long = pl.concat([role("home", "away"), role("away", "home")]).sort(["team", "date"])
    past = []
    for measure in ("goals", "conceded"):
        value = pl.col(measure).cast(pl.Float64).shift(1)
        past += [
            value.rolling_mean(window, min_samples=1).over("team").alias(f"{measure}_{window}") for window in (5, 10, 38)
        ]
        past += [
            value.ewm_mean(half_life=10, adjust=False, ignore_nulls=True).over("team").alias(f"{measure}_decayed"),
            value.rolling_max(10, min_samples=1).over("team").alias(f"{measure}_most"),
        ]
    long = long.with_columns(past)
    names = [name for name in long.columns if "_" in name]
    for own in ("home", "away"):
        made = long.filter(pl.col("role") == own).select("row", *[pl.col(name).alias(f"{own}_{name}") for name in names])
        frame = frame.join(made, on="row", how="left")
    order = [f"{own}_{name}" for name in names for own in ("home", "away")]
    frame.sort(["date", "match"]).select(pl.exclude("row", *order), *order).write_csv(target)
print(f"inner {time.perf_counter() - started}", file=sys.stderr)
