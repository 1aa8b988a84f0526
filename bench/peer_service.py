"""A fraud service as a team would write it: FastAPI, pydantic and XGBoost under uvicorn, one worker a core. Two of them:

`plain` follows the libraries' own introductions: a `def` handler, which FastAPI runs in its pool of threads, and
`XGBClassifier.predict_proba` on one row of numpy, with as many threads as XGBoost takes. `tuned` is by someone who measured:
no pool, the booster's `inplace_predict`, one thread a prediction.

For both the caller has computed the 15 features, and both have uvloop, httptools and no access log. They are started by
uvicorn's own command, as `service.py` does, because a script that calls uvicorn would hold XGBoost once more, in the parent of
the workers, and start twice as slowly.

    PEER_SERVICE_MODEL=model.json python -m uvicorn peer_service:tuned --factory --workers 2 --no-access-log
"""

import os

import numpy as np
import xgboost
from fastapi import FastAPI
from pydantic import BaseModel

# Workers are processes of their own: the environment is what reaches them. uvloop and httptools are found by themselves.
MODEL_VARIABLE = "PEER_SERVICE_MODEL"
DECLINE_FROM = 0.5


class Features(BaseModel):
    amount: float
    is_weekend: float
    is_night: float
    customer_payments_1d: float
    customer_amount_avg_1d: float
    customer_payments_7d: float
    customer_amount_avg_7d: float
    customer_payments_30d: float
    customer_amount_avg_30d: float
    terminal_payments_1d: float
    terminal_fraud_share_1d: float
    terminal_payments_7d: float
    terminal_fraud_share_7d: float
    terminal_payments_30d: float
    terminal_fraud_share_30d: float


class Decision(BaseModel):
    probability: float
    decision: str


def tuned():
    booster = read_model(xgboost.Booster())
    booster.set_param({"nthread": 1})
    order = booster.feature_names
    app = app_with_readiness()

    @app.post("/predict")
    async def predict(features: Features) -> Decision:
        row = np.array([[getattr(features, name) for name in order]])
        return decided(float(booster.inplace_predict(row, validate_features=False)[0]))

    return app


def plain():
    model = read_model(xgboost.XGBClassifier())
    order = model.get_booster().feature_names
    app = app_with_readiness()

    @app.post("/predict")
    def predict(features: Features) -> Decision:
        row = np.array([[getattr(features, name) for name in order]])
        return decided(float(model.predict_proba(row)[0, 1]))

    return app


def app_with_readiness():
    app = FastAPI(title="Fraud detection")

    @app.get("/readyz")
    async def ready():
        return {"status": "ready"}

    return app


def decided(probability):
    return Decision(probability=probability, decision="decline" if probability >= DECLINE_FROM else "approve")


def read_model(model):
    path = os.environ[MODEL_VARIABLE]
    model.load_model(path)
    names = getattr(model, "get_booster", lambda: model)().feature_names
    if sorted(names) != sorted(Features.model_fields):
        raise SystemExit(f"`{path}` was trained on {names}, not on the 15 features of a request")
    return model
