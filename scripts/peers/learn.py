"""The jobs of models in Python: what `fit` and `predict` do, by XGBoost and scikit-learn with pandas.

    learn.py boosted|forest|logistic clean.csv model.pickle
    learn.py search clean.csv model.pickle recipe.toml
    learn.py predict model.pickle rows.csv predicted.csv
    learn.py train-for-predict clean.csv model.pickle

Prints what it found as JSON; `own` is the time of fitting alone, without reading.
"""

import importlib
import json
import os
import pickle
import sys
import time
import tomllib

import golf
import numpy as np
import pandas as pd

JOBS = os.cpu_count()  # as many as ours takes


# What a job imports, which is not measured as its work.
MODULES = {
    "boosted": "xgboost",
    "forest": "sklearn.ensemble",
    "logistic": "sklearn.linear_model",
    "predict": "sklearn.ensemble",
    "search": "search",
    "train-for-predict": "search",
}


def golf_rows(source, folds=False):
    rows = pd.read_csv(source, engine="c", usecols=[*golf.RECIPE["split"]["by"], *golf.FEATURES, golf.TARGET])
    held = golf.held_out(rows)
    features, wanted = rows[golf.FEATURES].to_numpy(dtype=float), rows[golf.TARGET].to_numpy()
    parts = golf.parts(rows)[~held] if folds else None
    return features[~held], wanted[~held], parts, features[held], wanted[held]


def keep(model, target):
    with open(target, "wb") as file:
        pickle.dump(model, file)


def measured(model, held, right):
    """The model's error on held-out rows, and how many these are."""
    rmse = float(np.sqrt(np.mean((model.predict(held) - right) ** 2)))
    return {"held_out": len(right), "rmse": rmse}


def regression(model, source, target):
    features, wanted, _, held, right = golf_rows(source)
    began = time.perf_counter()
    model.fit(features, wanted)
    own = time.perf_counter() - began
    keep(model, target)
    return {"trained": len(wanted), "own": own, **measured(model, held, right)}


def boosted(source, target):
    from xgboost import XGBRegressor

    model = XGBRegressor(n_estimators=100, max_depth=6, learning_rate=0.1, tree_method="hist", n_jobs=JOBS)
    return regression(model, source, target)


def forest(source, target):
    from sklearn.ensemble import RandomForestRegressor

    model = RandomForestRegressor(
        n_estimators=100, min_samples_leaf=5, max_leaf_nodes=2048, n_jobs=JOBS, random_state=1
    )
    return regression(model, source, target)


def logistic(source, target):
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import log_loss
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    rows = pd.read_csv(source)
    features, letters = rows.filter(regex=r"^f\d+$").to_numpy(dtype=float), rows["letter"].to_numpy()
    model = make_pipeline(StandardScaler(), LogisticRegression(C=1.0, max_iter=1000))
    began = time.perf_counter()
    model.fit(features, letters)
    own = time.perf_counter() - began
    keep(model, target)
    return {"trained": len(rows), "log_loss": log_loss(letters, model.predict_proba(features)), "own": own}


def search(source, target, recipe):
    """The candidates of a recipe, in the golf recipe's folds."""
    from search import choose

    with open(recipe, "rb") as file:
        candidates = tomllib.load(file)["candidates"]
    features, wanted, parts, held, right = golf_rows(source, folds=True)
    began = time.perf_counter()
    name, model, _ = choose(candidates, features, wanted, parts)
    own = time.perf_counter() - began
    keep(model, target)
    return {"trained": len(wanted), "chosen": name, "own": own, **measured(model, held, right)}


def train_for_predict(source, target):
    from search import boosting

    return regression(boosting(100, 6), source, target)


def predict(model, source, target):
    with open(model, "rb") as file:
        model = pickle.load(file)
    rows = pd.read_csv(source, engine="c")
    rows["predicted_" + golf.TARGET] = model.predict(rows[golf.FEATURES].to_numpy(dtype=float))
    rows.to_csv(target, index=False)
    return {"rows": len(rows)}


importlib.import_module(MODULES[sys.argv[1]])
started = time.perf_counter()
print(json.dumps(globals()[sys.argv[1].replace("-", "_")](*sys.argv[2:])))
golf.finished(started)
