"""A fraud pipeline as a team would write it with pandas, scikit-learn and LightGBM: from the file to a judged model.

The protocol is chapter 5 of the Fraud Detection Handbook: candidates are chosen on four validation folds, the chosen
one is judged once on four later test folds, beside a logistic regression.
"""

import argparse
import json
import pathlib
import time

import lightgbm
import numpy as np
import pandas as pd
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss, log_loss
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from peer_metrics import Exam
from peer_windows import read_payments, windows

THREADS = 2
SEED = 42
DAY = pd.Timedelta(days=1)
WEEK = 7 * DAY
# Where the training weeks of the book's test folds begin, newest first.
TEST_FOLDS = [pd.Timestamp(day) for day in ("2018-08-15", "2018-08-08", "2018-08-01", "2018-07-25")]
# Two weeks earlier: neither the labels nor the days of a test fold may choose a candidate.
VALIDATION_FOLDS = [start - 2 * WEEK for start in TEST_FOLDS]
# LightGBM reads these as words.
TRUTH_VALUES = ("boost_from_average", "is_unbalance", "extra_trees")


def main():
    arguments = parse_arguments()
    out = pathlib.Path(arguments.out)
    out.mkdir(parents=True, exist_ok=True)
    clock = Clock()
    payments = read_payments(arguments.source)
    clock.stage("read")
    payments, refused = check_contract(payments)
    refused.to_csv(out / "quarantine.csv", index=False)
    clock.stage("check")
    past = windows(payments)
    clock.stage("windows")
    features, label = feature_matrix(payments, past), payments["is_fraud"].to_numpy()
    clock.stage("features")
    validation = [fold(payments, start) for start in VALIDATION_FOLDS]
    tests = [fold(payments, start) for start in TEST_FOLDS]
    parameters, said = choose(features, label, payments, validation, read_grid(arguments.grid))
    clock.stage("choose")
    boosters = [fit_trees(features, label, train, parameters) for train, _ in tests]
    trees = [booster.predict(features[test], num_threads=THREADS) for booster, (_, test) in zip(boosters, tests)]
    linear = [logistic_scores(features, label, train, test) for train, test in tests]
    clock.stage("test")
    calibrator, calibration = calibrate(said, trees, label, validation, tests)
    clock.stage("calibrate")
    metrics = Exam(payments, tests).judge({"trees": trees, "linear": linear}, SEED)
    clock.stage("judge")
    report = {
        "rows": len(payments),
        "refused": len(refused),
        "parameters": parameters,
        "metrics": metrics,
        "calibration": calibration,
    }
    write(out, boosters[0], calibrator, report)
    clock.stage("write")
    print(json.dumps({"name": "run", "seconds": clock.seconds, "seconds_total": clock.total(), **report}))


class Clock:
    """Seconds of each stage, in order."""

    def __init__(self):
        self.seconds = {}
        self.start = self.last = time.perf_counter()

    def stage(self, name):
        now = time.perf_counter()
        self.seconds[name], self.last = now - self.last, now

    def total(self):
        return self.last - self.start


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", required=True, help="handbook_transactions.parquet")
    parser.add_argument("--grid", required=True, help="JSON list of LightGBM parameters, with `trees`, one a candidate")
    parser.add_argument("--out", required=True, help="folder for the model, its metrics and the refused rows")
    return parser.parse_args()


def read_grid(path):
    grid = json.loads(pathlib.Path(path).read_text(encoding="utf-8"))
    for candidate in grid:
        candidate.update({name: bool(candidate[name]) for name in TRUTH_VALUES if name in candidate})
    return grid


def check_contract(payments):
    """The rows that keep the contract, and those that do not with the reason."""
    if not pd.api.types.is_datetime64_any_dtype(payments["paid_at"]):
        raise SystemExit(f"column `paid_at` holds {payments['paid_at'].dtype}, not times")
    for name in ("amount", "is_fraud"):
        if not pd.api.types.is_numeric_dtype(payments[name]):
            raise SystemExit(f"column `{name}` holds {payments[name].dtype}, not numbers")
    required = ["payment_id", "paid_at", "customer_id", "terminal_id", "amount"]
    breaks = {f"`{name}` is missing": payments[name].isna() for name in required} | {
        "`payment_id` is there twice": payments["payment_id"].duplicated(),
        "`amount` is below 0": payments["amount"] < 0,
        "`is_fraud` is neither 0 nor 1": payments["is_fraud"].notna() & ~payments["is_fraud"].isin((0, 1)),
    }
    reason = np.select(list(breaks.values()), list(breaks), default="")
    kept = reason == ""
    return payments[kept].reset_index(drop=True), payments[~kept].assign(reason=reason[~kept])


def feature_matrix(payments, past):
    """The book's 15 features as numbers, one row a payment."""
    own = pd.DataFrame({
        "amount": payments["amount"],
        "is_weekend": payments["paid_at"].dt.day_of_week >= 5,
        "is_night": payments["paid_at"].dt.hour <= 6,
    })
    return pd.concat([own, past], axis=1).to_numpy(dtype=float)


def fold(payments, start):
    """Rows of a training week and of the test week that begins a week after it, without cards known to be misused.

    A fraud is known a week later, so on a day of the test week the frauds of the training week and of all days up to
    eight days ago are known.
    """
    day = payments["paid_at"].dt.normalize()
    train = np.flatnonzero((day >= start) & (day < start + WEEK))
    in_test = (day >= start + 2 * WEEK) & (day < start + 3 * WEEK)
    frauds = payments[(payments["is_fraud"] == 1) & (day >= start)]
    first_fraud = payments["customer_id"].map(frauds.groupby("customer_id")["paid_at"].min())
    return train, np.flatnonzero(in_test & ~(first_fraud < day - WEEK))


def choose(features, label, payments, folds, grid):
    """The candidate of the highest mean average precision, and what it said of each validation fold."""
    exam = Exam(payments, folds)
    best, parameters, said = -1.0, None, None
    for candidate in grid:
        scores = [
            fit_trees(features, label, train, candidate).predict(features[test], num_threads=THREADS)
            for train, test in folds
        ]
        value = exam.values(scores)["average_precision"]
        if value > best:
            best, parameters, said = value, candidate, scores
    return parameters, said


def fit_trees(features, label, rows, parameters):
    fixed = {"objective": "binary", "verbosity": -1, "seed": SEED, "num_threads": THREADS, "deterministic": True}
    settings = fixed | {"force_row_wise": True} | parameters
    trees = settings.pop("trees", 100)
    return lightgbm.train(settings, lightgbm.Dataset(features[rows], label[rows]), num_boost_round=trees)


def logistic_scores(features, label, train, test):
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)).fit(features[train], label[train])
    return model.predict_proba(features[test])[:, 1]


def calibrate(said, scores, label, validation, tests):
    """Fitted on what the chosen candidate said of the validation folds, told on the test folds."""
    truth = np.concatenate([label[test] for _, test in validation])
    calibrator = IsotonicRegression(out_of_bounds="clip").fit(np.concatenate(said), truth)
    told = [probability_errors(label[test], calibrator.predict(score)) for score, (_, test) in zip(scores, tests)]
    return calibrator, {name: float(np.mean([fold[name] for fold in told])) for name in told[0]}


def probability_errors(truth, probability):
    return {"brier": brier_score_loss(truth, probability), "log_loss": log_loss(truth, probability)}


def write(out, booster, calibrator, report):
    booster.save_model(out / "model.txt")
    knots = {"score": calibrator.X_thresholds_.tolist(), "probability": calibrator.y_thresholds_.tolist()}
    (out / "calibrator.json").write_text(json.dumps(knots), encoding="utf-8")
    (out / "metrics.json").write_text(json.dumps(report, indent=2), encoding="utf-8")


if __name__ == "__main__":
    main()
