"""The 12 windows of the Fraud Detection Handbook in pandas, because that is what a team would write first.

A window of w days at time t is (t - w, t], the payment itself counted. What a terminal's past says is a week old, so
its windows are the difference of two: (t - 7d - w, t] less (t - 7d, t].
"""

import argparse
import json
import time

import numpy as np
import pandas as pd

DAYS = (1, 7, 30)
DELAY_DAYS = 7
# Two ways of adding the same numbers differ in the last bits; money has two decimals.
DIFFERENCE_MAX = 1e-9

COLUMNS = {
    "TRANSACTION_ID": "payment_id",
    "TX_DATETIME": "paid_at",
    "CUSTOMER_ID": "customer_id",
    "TERMINAL_ID": "terminal_id",
    "TX_AMOUNT": "amount",
    "TX_FRAUD": "is_fraud",
}


def main():
    arguments = parse_arguments()
    payments = read_payments(arguments.source)
    start = time.perf_counter()
    answers = windows(payments)
    report = {"name": "windows", "rows": len(payments), "seconds": time.perf_counter() - start}
    if arguments.check:
        report |= compare(payments["payment_id"], answers, pd.read_parquet(arguments.check))
    print(json.dumps(report))


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", required=True, help="handbook_transactions.parquet")
    parser.add_argument("--check", help="Parquet file of the same columns by payment_id, to compare with")
    return parser.parse_args()


def read_payments(path):
    """The Handbook's columns under the names of the domain, in order of time and of the number of the payment.

    TX_FRAUD_SCENARIO says how a fraud was made and must never reach a model: it is not read.
    """
    payments = pd.read_parquet(path, columns=list(COLUMNS)).rename(columns=COLUMNS)
    return payments.sort_values(["paid_at", "payment_id"], ignore_index=True)


def windows(payments):
    """A frame of 12 columns with the index of `payments`, which is in order of time. 0 where a window is empty."""
    return pd.concat([customer_windows(payments), terminal_windows(payments)], axis=1)


def customer_windows(payments):
    cards = grouped(payments, "customer_id", "amount")
    answers = {}
    for days in DAYS:
        rolling = cards.rolling(f"{days}D", on="paid_at")["amount"]
        answers[f"customer_payments_{days}d"] = rolling.count().to_numpy()
        answers[f"customer_amount_avg_{days}d"] = rolling.mean().to_numpy()
    return pd.DataFrame(answers, index=cards.obj.index).reindex(payments.index)


def terminal_windows(payments):
    terminals = grouped(payments, "terminal_id", "is_fraud")
    recent_payments, recent_frauds = payments_and_frauds(terminals, DELAY_DAYS)
    answers = {}
    for days in DAYS:
        all_payments, all_frauds = payments_and_frauds(terminals, DELAY_DAYS + days)
        count, frauds = all_payments - recent_payments, all_frauds - recent_frauds
        answers[f"terminal_payments_{days}d"] = count
        answers[f"terminal_fraud_share_{days}d"] = np.divide(frauds, count, out=np.zeros(len(count)), where=count > 0)
    return pd.DataFrame(answers, index=terminals.obj.index).reindex(payments.index)


def payments_and_frauds(terminals, days):
    rolling = terminals.rolling(f"{days}D", on="paid_at")["is_fraud"]
    return rolling.count().to_numpy(), rolling.sum().to_numpy()


def grouped(payments, entity, value):
    """Sorted by entity, so that pandas gives its answers in the order of the rows and nothing has to be joined."""
    rows = payments[[entity, "paid_at", value]].sort_values(entity, kind="stable")
    return rows.groupby(entity)


def compare(payment_id, ours, theirs):
    """The largest difference by column. A key that is text is read as the number it holds; null is 0."""
    keys = pd.Index(theirs["payment_id"].astype("int64"))
    if not keys.is_unique or set(keys) != set(payment_id):
        raise SystemExit(f"the file to check holds {len(keys)} payments, not the same {len(payment_id)}")
    theirs = theirs.set_index(keys)[list(ours.columns)].reindex(payment_id).fillna(0.0)
    difference = np.abs(theirs.to_numpy(dtype=float) - ours.to_numpy(dtype=float)).max(axis=0)
    by_column = {name: float(value) for name, value in zip(ours.columns, difference)}
    largest = max(by_column.values())
    return {"equal": largest <= DIFFERENCE_MAX, "max_difference": largest, "difference_by_column": by_column}


if __name__ == "__main__":
    main()
