"""The quick start in Python, fetch excluded: from fetched events to one prediction.

    quickstart.py wire.jsonl FOLDER

SQLAlchemy and SQLite for storage, pandas for cleaning and one CSV per event, scikit-learn for the model. Fetching
ends where ours ends: the rounds are flattened already, one line of JSON an event.
"""

import json
import pickle
import sys
import time
from pathlib import Path

import golf
import numpy as np
import pandas as pd
from search import choose
from sklearn.metrics import root_mean_squared_error
from sqlalchemy import Column, Float, Integer, MetaData, String, Table, create_engine, select

TEXTS = {"tour", "event_completed", "event_name", "player_name", "fin_text", "course_name", "teetime"}
REALS = {name for name, column in golf.COLUMNS.items() if column["type"] == "number"}


def kind(name):
    return String if name in TEXTS else Float if name in REALS else Integer


def store(wire, engine):
    """Every event's rounds into one table, all in one transaction."""
    table = None
    with wire.open() as lines, engine.begin() as connection:
        for event in map(json.loads, lines):
            if not event["rows"]:
                continue
            names = event["columns"]
            if table is None:
                columns = [
                    Column(name, kind(name), primary_key=name in golf.ROW_KEY) for name in names
                ]
                table = Table("rounds", MetaData(), *columns)
                table.create(connection)
            connection.execute(table.insert(), [dict(zip(names, row, strict=True)) for row in event["rows"]])
    return table


def export(table, engine, folder):
    """One cleaned CSV per event."""
    folder.mkdir()
    identity = table.c.tour, table.c.year, table.c.event_id
    with engine.connect() as connection:
        for tour, year, event in connection.execute(select(*identity).distinct()).all():
            of_event = table.c.tour == tour, table.c.year == year, table.c.event_id == event
            rows = pd.read_sql(
                select(table).where(*of_event).order_by(table.c.dg_id, table.c.round_num), connection
            )
            rows = rows.rename(columns={golf.SOURCE["calendar_year"]: "calendar_year"})
            for name, (low, high) in golf.RANGES.items():
                if (
                    low is not None
                    and (rows[name] < low).any()
                    or high is not None
                    and (rows[name] > high).any()
                ):
                    sys.exit(f"{name} is out of its range")
            rows.dropna(subset=golf.OUTPUT)[golf.OUTPUT].to_csv(
                folder / f"event_data_{year}_{tour}_{event}.csv", index=False
            )


def train(folder, target):
    """The best of the recipe's candidates on every CSV, compared with the mean, and kept."""
    rows = pd.concat([pd.read_csv(path) for path in sorted(folder.iterdir())])
    held = golf.held_out(rows)
    features, wanted = rows[golf.FEATURES].to_numpy(dtype=float), rows[golf.TARGET].to_numpy()
    parts = golf.parts(rows)
    chosen, model, _ = choose(golf.RECIPE["candidates"], features[~held], wanted[~held], parts[~held])
    rmse = root_mean_squared_error(wanted[held], model.predict(features[held]))
    baseline = root_mean_squared_error(wanted[held], np.full(held.sum(), wanted[~held].mean()))
    if rmse >= baseline:
        sys.exit("no better than the mean")
    with target.open("wb") as file:
        pickle.dump(model, file)
    return {"chosen": chosen, "trained": int((~held).sum()), "held_out": int(held.sum()), "rmse": rmse}


def main():
    wire, folder = Path(sys.argv[1]), Path(sys.argv[2])
    engine = create_engine(f"sqlite:///{folder}/golf.db")
    table = store(wire, engine)
    export(table, engine, folder / "training_data")
    metrics = train(folder / "training_data", folder / "model.pickle")
    with (folder / "model.pickle").open("rb") as file:
        model = pickle.load(file)
    asked = {
        "sg_total": 2.1,
        "driving_dist": 291.4,
        "driving_acc": 0.64,
        "gir": 0.72,
        "scrambling": 0.6,
        "prox_rgh": 41.2,
        "prox_fw": 29.8,
        "great_shots": 4,
        "poor_shots": 2,
    }
    answer = model.predict(np.array([[asked[name] for name in golf.FEATURES]]))[0]
    print(json.dumps({**metrics, "prediction": float(answer)}))


started = time.perf_counter()
main()
golf.finished(started)
