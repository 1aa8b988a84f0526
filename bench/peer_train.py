"""LightGBM's own Python package on the matrix and the parameters that our program trained with.

Both call the same C++: what is compared is the way there, and whether the same trees come out.
"""

import argparse
import hashlib
import json
import statistics
import time

import lightgbm
import pandas as pd

FITS = 5


def main():
    arguments = parse_arguments()
    matrix = pd.read_parquet(arguments.matrix)
    target = matrix.pop("target").to_numpy(dtype=float)
    features = matrix.to_numpy(dtype=float)
    parameters, trees = read_parameters(arguments)
    seconds = []
    for _ in range(FITS):
        start = time.perf_counter()
        booster = lightgbm.train(parameters, lightgbm.Dataset(features, target), num_boost_round=trees)
        seconds.append(time.perf_counter() - start)
    report = {
        "name": "train",
        "rows": len(target),
        "seconds_best": min(seconds),
        "seconds_median": statistics.median(seconds),
        "model_sha256": trees_sha256(booster.model_to_string()),
    }
    print(json.dumps(report))


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--matrix", required=True, help="Parquet: the features and a column `target` of 0 and 1")
    parser.add_argument("--parameters", required=True, help="JSON object by LightGBM's names, and `trees`")
    parser.add_argument("--threads", type=int, help="default: `num_threads` of the parameters")
    return parser.parse_args()


def read_parameters(arguments):
    with open(arguments.parameters, encoding="utf-8") as file:
        parameters = json.load(file)
    trees = int(parameters.pop("trees"))
    if arguments.threads:
        parameters["num_threads"] = arguments.threads
    return parameters, trees


def trees_sha256(text):
    """Hash of the text from `Tree=0` to the line `end of trees`: not the head, which holds the names of columns, and
    not the tail, which holds parameters such as the number of threads."""
    begin, end = text.index("Tree=0\n"), text.index("end of trees")
    return hashlib.sha256(text[begin:end].rstrip().encode()).hexdigest()


if __name__ == "__main__":
    main()
