"""`predictd` in Flask, for `gunicorn serve_flask:app`. MODEL names the pickle that fit_sklearn.py wrote."""

import os
import pickle

import golf
import numpy as np
from flask import Flask, request

app = Flask(__name__)
with open(os.environ["MODEL"], "rb") as file:
    model = pickle.load(file)


@app.post("/predict")
def predict():
    fields = request.get_json()
    row = np.array([[float(fields[name]) for name in golf.FEATURES]])
    return {golf.TARGET: float(model.predict(row)[0]), "model": "sklearn"}
