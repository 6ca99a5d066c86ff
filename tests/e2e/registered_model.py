"""Answers of the study's registered model, loaded from the store in this folder as a program of a user loads it."""

from __future__ import annotations

import json
import sys

import mlflow
import pandas as pd


def main() -> None:
    mlflow.set_tracking_uri("sqlite:///mlruns/mlflow.db")
    model = mlflow.pyfunc.load_model(sys.argv[1])
    answers = model.predict(pd.DataFrame(json.load(sys.stdin)))
    answers = answers.to_dict("records") if hasattr(answers, "to_dict") else answers
    print("ANSWERS" + json.dumps(answers))


if __name__ == "__main__":
    main()
