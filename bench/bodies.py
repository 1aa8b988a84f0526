"""Payments of the Handbook as requests, because a service is measured on payments that come after those it learned from.

Cuts the file at a day: the payments before it become the history that a champion is trained on, those from it on become
one request body a line, in order of time, with no label.
"""

import argparse
import json

import pandas as pd

from peer_windows import COLUMNS, read_payments

FIELDS = ["payment_id", "paid_at", "customer_id", "terminal_id", "amount"]


def main():
    arguments = parse_arguments()
    payments = read_payments(arguments.source)
    cut = pd.Timestamp(arguments.cut)
    requests = bodies(payments[payments["paid_at"] >= cut])
    with open(arguments.out, "w", encoding="utf-8") as file:
        file.writelines(json.dumps(body) + "\n" for body in requests.to_dict("records"))
    report = {"name": "bodies", "rows": len(requests), "cut": arguments.cut}
    if arguments.history:
        report["rows_history"] = write_history(payments[payments["paid_at"] < cut], arguments.history)
    print(json.dumps(report))


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", required=True, help="handbook_transactions.parquet")
    parser.add_argument("--cut", required=True, help="first day of the requests, such as 2018-09-05")
    parser.add_argument("--out", required=True, help="NDJSON file for the requests")
    parser.add_argument("--history", help="Parquet file for the payments before the cut, in the Handbook's layout")
    return parser.parse_args()


def bodies(payments):
    """As the contract says it: identifiers and times are text, an amount is a number."""
    if not payments["payment_id"].is_unique:
        raise SystemExit("column `payment_id` holds a payment twice: the log keeps one decision for each")
    text = payments[FIELDS].assign(paid_at=payments["paid_at"].dt.strftime("%Y-%m-%d %H:%M:%S"))
    return text.astype({name: str for name in FIELDS if name != "amount"})


def write_history(payments, path):
    names = {ours: theirs for theirs, ours in COLUMNS.items()}
    payments.rename(columns=names).to_parquet(path, index=False)
    return len(payments)


if __name__ == "__main__":
    main()
