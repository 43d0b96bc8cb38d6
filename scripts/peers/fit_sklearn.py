"""`fit` of the ridge candidate with pandas and scikit-learn: the same split, standardised, the same penalty.

fit_sklearn.py clean.csv model.pickle        prints what it did as JSON
"""

import json
import pickle
import sys
import time

import golf
import pandas as pd
from sklearn.linear_model import Ridge
from sklearn.metrics import root_mean_squared_error
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

started = time.perf_counter()
source, target = sys.argv[1:]

rows = pd.read_csv(source, engine="c", usecols=[*golf.RECIPE["split"]["by"], *golf.FEATURES, golf.TARGET])
held = golf.held_out(rows)
features, wanted = rows[golf.FEATURES].to_numpy(dtype=float), rows[golf.TARGET].to_numpy()
model = make_pipeline(StandardScaler(), Ridge(alpha=golf.ALPHA)).fit(features[~held], wanted[~held])
rmse = root_mean_squared_error(wanted[held], model.predict(features[held]))
with open(target, "wb") as file:
    pickle.dump(model, file)
print(json.dumps({"trained": int((~held).sum()), "held_out": int(held.sum()), "rmse": rmse}))
golf.finished(started)
