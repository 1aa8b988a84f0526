"""A fraud service as a team would write it: FastAPI, pydantic and XGBoost under uvicorn, one worker a core.

The caller has computed the 15 features. Where there was a choice, the faster one was taken: no threadpool, no frame, no
access log, one thread a prediction. It is started by uvicorn's own command, as `service.py` does, because a script that
calls uvicorn would hold XGBoost once more, in the parent of the workers, and start twice as slowly.

    PEER_SERVICE_MODEL=model.json python -m uvicorn peer_service:service --factory --workers 2 --no-access-log
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


def service():
    booster = read_model(os.environ[MODEL_VARIABLE])
    order = booster.feature_names
    app = FastAPI(title="Fraud detection")

    @app.get("/readyz")
    async def ready():
        return {"status": "ready"}

    @app.post("/predict")
    async def predict(features: Features) -> Decision:
        row = np.array([[getattr(features, name) for name in order]])
        probability = float(booster.inplace_predict(row, validate_features=False)[0])
        return Decision(probability=probability, decision="decline" if probability >= DECLINE_FROM else "approve")

    return app


def read_model(path):
    booster = xgboost.Booster(model_file=path)
    booster.set_param({"nthread": 1})
    if sorted(booster.feature_names) != sorted(Features.model_fields):
        raise SystemExit(f"`{path}` was trained on {booster.feature_names}, not on the 15 features of a request")
    return booster
