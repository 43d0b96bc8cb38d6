"""Saves the model of a pickle as MLflow wants it.

save_mlflow.py model.pickle folder
"""

import pickle
import sys

import mlflow.sklearn

source, target = sys.argv[1:]
with open(source, "rb") as file:
    mlflow.sklearn.save_model(pickle.load(file), target)
