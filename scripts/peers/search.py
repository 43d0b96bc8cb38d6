"""What `fit` does to choose a model, with scikit-learn: the same folds, settings tuned without the fold that is predicted, and the simplest candidate
within one standard error of the best, fitted to all rows."""

import numpy as np
from sklearn.base import clone
from sklearn.dummy import DummyRegressor
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import Lasso, LinearRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler


def boosting(trees, depth):
    """The nearest to the recipe's `boosted_trees` that scikit-learn has."""
    return HistGradientBoostingRegressor(
        max_iter=trees,
        max_depth=depth,
        max_leaf_nodes=None,
        min_samples_leaf=1,
        l2_regularization=1.0,
        early_stopping=False,
    )


def scaled(model):
    return make_pipeline(StandardScaler(), model)


def settled(candidate):
    """A candidate of a recipe as models, one for each setting."""
    many = lambda value: value if isinstance(value, list) else [value]
    name = candidate["algorithm"]
    if name == "mean":
        return [DummyRegressor()]
    if name == "linear":
        return [LinearRegression()]
    if name == "ridge":
        return [scaled(Ridge(alpha=alpha)) for alpha in many(candidate["alpha"])]
    if name == "lasso":
        return [scaled(Lasso(alpha=alpha)) for alpha in many(candidate["alpha"])]
    if name == "boosted_trees":
        return [boosting(candidate.get("trees", 100), candidate.get("max_depth", 6))]
    raise SystemExit(f"no peer for {name}")


def choose(candidates, features, wanted, parts):
    """The name of the chosen candidate, its model fitted to all rows, and every candidate's error by fold. `parts`: the fold of each row."""
    folds = sorted(set(parts))
    models = {candidate["algorithm"]: settled(candidate) for candidate in candidates}
    fitted = {}

    def error(model, without, measured):
        """Of a model that was fitted once without these folds, on one of them."""
        key = id(model), frozenset(without)
        if key not in fitted:
            rows = ~np.isin(parts, list(without))
            fitted[key] = clone(model).fit(features[rows], wanted[rows])
        rows = parts == measured
        return float(np.sqrt(np.mean((fitted[key].predict(features[rows]) - wanted[rows]) ** 2)))

    def tuned(name, without=None):
        """The setting that is best on the folds that are left."""
        if len(models[name]) == 1:
            return models[name][0]
        inner = [fold for fold in folds if fold != without]
        mean = lambda model: np.mean([error(model, {fold, without} - {None}, fold) for fold in inner])
        return min(models[name], key=mean)

    found = {name: [error(tuned(name, fold), {fold}, fold) for fold in folds] for name in models}
    mean = {name: np.mean(errors) for name, errors in found.items()}
    best = min(mean, key=mean.get)
    limit = mean[best] + np.std(found[best], ddof=1) / np.sqrt(len(folds))
    chosen = next(name for name in models if mean[name] <= limit)
    return chosen, clone(tuned(chosen)).fit(features, wanted), found
