"""What scikit-learn makes of the golf season, for the tests of `fit` to compare with: fixtures/golf/scikit-learn.json.

    golf_sklearn.py clean.csv > fixtures/golf/scikit-learn.json

The recipe's held-out events and folds. Coefficients are in the units of the features.
"""

import json
import sys

import golf
import numpy as np
import pandas as pd
from search import boosting, scaled
from sklearn.base import clone
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import Lasso, LinearRegression, Ridge


def main():
    rows = pd.read_csv(sys.argv[1])
    held, parts = golf.held_out(rows), golf.parts(rows)
    features, wanted = rows[golf.FEATURES].to_numpy(dtype=float), rows[golf.TARGET].to_numpy()

    def rmse(model, fitted, measured):
        model = clone(model).fit(features[fitted], wanted[fitted])
        return float(np.sqrt(np.mean((model.predict(features[measured]) - wanted[measured]) ** 2)))

    def by_fold(model):
        folds = sorted(set(parts))
        return [rmse(model, ~held & (parts != fold), ~held & (parts == fold)) for fold in folds]

    def coefficients(model):
        scaler, fitted = clone(model).fit(features[~held], wanted[~held])
        slopes = fitted.coef_ / scaler.scale_
        return {"intercept": float(fitted.intercept_ - slopes @ scaler.mean_), "coefficients": slopes.tolist()}

    sums = {
        "linear": LinearRegression(),
        "ridge": scaled(Ridge(alpha=10.0, solver="svd")),
        "lasso": scaled(Lasso(alpha=0.01, tol=1e-14, max_iter=1_000_000)),
    }
    out = {name: coefficients(sums[name]) for name in ("ridge", "lasso")}
    forest = RandomForestRegressor(100, min_samples_leaf=5, max_leaf_nodes=2048, n_jobs=2, random_state=1)
    trees = {"random_forest": forest, "boosted_trees": boosting(100, 6)}
    for name, model in trees.items():
        out[name] = {"held_out": rmse(model, ~held, held), "folds": by_fold(model)}
    out["folds"] = {name: by_fold(model) for name, model in sums.items()}
    json.dump(out, sys.stdout, indent=1)
    print()


main()
