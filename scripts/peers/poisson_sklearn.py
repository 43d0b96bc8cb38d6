"""Poisson regression by scikit-learn with pandas: what `fit` does with a count.

    poisson_sklearn.py rows.csv alpha

Prints intercept and coefficients of the columns as they come as JSON.
"""

import json
import sys

import pandas as pd
from sklearn.linear_model import PoissonRegressor
from sklearn.preprocessing import StandardScaler


def main():
    source, alpha = sys.argv[1], float(sys.argv[2])
    rows = pd.read_csv(source)
    features = [name for name in rows.columns if name.startswith("x")]
    scaler = StandardScaler()
    standard = scaler.fit_transform(rows[features])
    # Its penalty is of the mean loss, ours of the sum.
    model = PoissonRegressor(alpha=alpha / len(rows), solver="newton-cholesky", tol=1e-10, max_iter=100)
    model.fit(standard, rows["calls"])
    coefficients = model.coef_ / scaler.scale_
    intercept = model.intercept_ - float(coefficients @ scaler.mean_)
    json.dump({"intercept": intercept, "coefficients": coefficients.tolist()}, sys.stdout)


main()
