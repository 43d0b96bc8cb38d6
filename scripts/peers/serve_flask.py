"""`predictd` in Flask, for `gunicorn serve_flask:app`: a round, a list of rounds or a CSV. MODEL names the pickle that fit_sklearn.py or learn.py wrote."""

import io
import os
import pickle

import golf
import numpy as np
import pandas as pd
from flask import Flask, Response, request

app = Flask(__name__)
with open(os.environ["MODEL"], "rb") as file:
    model = pickle.load(file)


@app.post("/predict")
def predict():
    if request.mimetype == "text/csv":
        rows = pd.read_csv(io.BytesIO(request.get_data()))
        rows[f"predicted_{golf.TARGET}"] = model.predict(rows[golf.FEATURES].to_numpy(dtype=float))
        return Response(rows.to_csv(index=False), mimetype="text/csv")
    fields = request.get_json()
    if isinstance(fields, list):
        rows = pd.DataFrame.from_records(fields)[golf.FEATURES]
        said = model.predict(rows.to_numpy(dtype=float))
        return [{golf.TARGET: value, "model": "sklearn"} for value in said.tolist()]
    row = np.array([[float(fields[name]) for name in golf.FEATURES]])
    return {golf.TARGET: float(model.predict(row)[0]), "model": "sklearn"}
