"""`features` in pandas: hourly series 24 hours ahead, or matches of two teams.

features_pandas.py series|matches rows.csv features.csv
"""

import sys
import time

import pandas as pd

started = time.perf_counter()
kind, source, target = sys.argv[1:]

if kind == "series":
    frame = pd.read_csv(source, parse_dates=["ts"]).sort_values(["series", "ts"], kind="stable")
    value = frame.groupby("series", sort=False)["requests"]
    for lag in (24, 48, 168, 336):
        frame[f"lag{lag}"] = value.shift(lag)
    known = frame.groupby("series", sort=False)["lag24"]
    for window in (24, 168):
        frame[f"mean{window}"] = known.rolling(window, min_periods=1).mean().droplevel(0)
    frame["decayed"] = known.ewm(halflife=24, ignore_na=True).mean().droplevel(0)
    frame[frame["lag24"].notna()].sort_values(["ts", "series"], kind="stable").to_csv(target, index=False)
else:
    frame = pd.read_csv(source)
    frame["row"] = range(len(frame))
    parts = []
    for own, other in (("home", "away"), ("away", "home")):
        names = {own: "team", f"{own}_goals": "goals", f"{other}_goals": "conceded"}
        parts.append(frame[["row", "date", *names]].rename(columns=names).assign(role=own))
    long = pd.concat(parts).sort_values(["team", "date"], kind="stable").reset_index(drop=True)
    teams = long.groupby("team", sort=False)
    for measure in ("goals", "conceded"):
        long["known"] = teams[measure].shift(1)
        known = long.groupby("team", sort=False)["known"]
        for window in (5, 10, 38):
            long[f"{measure}_{window}"] = known.rolling(window, min_periods=1).mean().droplevel(0)
        long[f"{measure}_decayed"] = known.ewm(halflife=10, adjust=False, ignore_na=True).mean().droplevel(0)
        long[f"{measure}_most"] = known.rolling(10, min_periods=1).max().droplevel(0)
    names = [name for name in long.columns if "_" in name]
    for own in ("home", "away"):
        made = long[long["role"] == own].set_index("row")[names].add_prefix(f"{own}_")
        frame = frame.join(made, on="row")
    order = [f"{own}_{name}" for name in names for own in ("home", "away")]
    frame = frame.sort_values(["date", "match"], kind="stable")
    frame[[name for name in frame.columns if name not in {"row", *order}] + order].to_csv(target, index=False)
print(f"inner {time.perf_counter() - started}", file=sys.stderr)
