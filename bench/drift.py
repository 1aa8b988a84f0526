"""Drift of a million rows by fifty columns: `septet drift` beside Evidently's default tests on the same two Parquet files, each
as a process of its own from start to exit. And on 100,000 rows by fifteen columns: do both say the same numbers?

Prints ratios of time and memory; exit code 1 only if a score differs by more than 1e-6 of it. The peer gets an environment of
its own in .tools/bench-drift.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

import compare

ENVIRONMENT = compare.ROOT / ".tools" / "bench-drift"
# Of ours, before and after the one call of the peer, which takes some minutes.
ROUNDS = 3

MAKER = '''
import sys
import numpy as np
import pandas as pd
rows, numbers, words, folder = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
for part, seed in (("reference", 1), ("current", 2)):
    random = np.random.default_rng(seed)
    now = part == "current"
    frame = {}
    for at in range(numbers):
        kind = at % 5
        if kind == 0:
            values = random.normal(0.05 * at * now, 1, rows)
        elif kind == 1:
            values = random.lognormal(3, 0.5 + 0.02 * at * now, rows)
        elif kind == 2:
            values = np.round(random.gamma(2, 10, rows), 2)
        elif kind == 3:
            values = random.poisson(4 + 0.2 * now, rows).astype(float)
        else:
            values = np.where(random.random(rows) < 0.1, np.nan, random.exponential(1, rows))
        frame[f"number_{at}"] = values
    for at in range(words):
        levels = 3 + 7 * at
        frame[f"word_{at}"] = np.array([f"w{level}" for level in range(levels)])[
            np.minimum((random.random(rows) ** (1.2 if now else 1.0) * levels).astype(int), levels - 1)]
    pd.DataFrame(frame).to_parquet(f"{folder}/{part}.parquet", index=False)
'''

PEER = '''
import json, sys, warnings
warnings.filterwarnings("ignore")
import pandas as pd
from evidently import DataDefinition, Dataset, Report
from evidently.presets import DataDriftPreset
folder = sys.argv[1]
reference, current = (pd.read_parquet(f"{folder}/{part}.parquet") for part in ("reference", "current"))
numbers = [name for name in reference if name.startswith("number")]
words = [name for name in reference if name.startswith("word")]
definition = DataDefinition(numerical_columns=numbers, categorical_columns=words)
datasets = [Dataset.from_pandas(frame, data_definition=definition) for frame in (current, reference)]
snapshot = Report([DataDriftPreset()]).run(*datasets)
scores = {m["config"]["column"]: float(m["value"]) for m in snapshot.dict()["metrics"] if m["metric_name"].startswith("ValueDrift")}
print(json.dumps(scores))
'''


def main():
    septet = next(p for p in (compare.ROOT / "target" / d / "septet" for d in ("release", "debug")) if p.exists())
    if len(sys.argv) > 1:
        septet = pathlib.Path(sys.argv[1]).resolve()
    compare.ENVIRONMENT = ENVIRONMENT
    python = compare.prepare_environment("requirements_drift.txt")
    compare.describe_machine(septet)
    with tempfile.TemporaryDirectory() as folder:
        equal = same_numbers(septet, python, folder)
        ratio(septet, python, folder)
    return 0 if equal else 1


def make(python, rows, numbers, words, folder):
    subprocess.run([python, "-c", MAKER, str(rows), str(numbers), str(words), folder], check=True, env=compare.peer_environment())


def measured(command, environment=None):
    """Standard output, seconds from start to exit, and the peak of resident memory in MB."""
    start = time.perf_counter()
    with tempfile.TemporaryFile() as out:
        process = subprocess.Popen([str(word) for word in command], stdout=out, stderr=subprocess.DEVNULL, env=environment)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        out.seek(0)
        text = out.read().decode()
    if status != 0:
        sys.exit(f"{command[0]} ended with {status}")
    return text, seconds, usage.ru_maxrss / 1024


def ours(septet, folder):
    text, seconds, memory = measured([septet, "--json", "drift", f"{folder}/reference.parquet", f"{folder}/current.parquet"])
    return {column["name"]: column["score"] for column in json.loads(text)["columns"]}, seconds, memory


def peer(python, folder):
    text, seconds, memory = measured([python, "-c", PEER, folder], compare.peer_environment())
    return json.loads(text.strip().splitlines()[-1]), seconds, memory


def same_numbers(septet, python, folder):
    make(python, 100_000, 11, 4, folder)
    (own, *_), (theirs, *_) = ours(septet, folder), peer(python, folder)
    apart = {name: abs(own[name] - score) / max(abs(score), 1e-12) for name, score in theirs.items()}
    worst = max(apart, key=apart.get)
    print(f"100,000 x 15: {len(theirs)} scores, largest relative difference {apart[worst]:.1e} ({worst})")
    return len(theirs) == 15 and apart[worst] <= 1e-6


def ratio(septet, python, folder):
    make(python, 1_000_000, 40, 10, folder)
    own = [ours(septet, folder)[1:] for _ in range(ROUNDS)]
    seconds, memory = peer(python, folder)[1:]
    own += [ours(septet, folder)[1:] for _ in range(ROUNDS)]
    times = sorted(one[0] for one in own)
    median, most = times[len(times) // 2], max(one[1] for one in own)
    print(f"1,000,000 x 50: ours {median:.2f} s ({times[0]:.2f} to {times[-1]:.2f}), {most:.0f} MB; Evidently {seconds:.1f} s, {memory:.0f} MB")
    print(f"ratio: {seconds / median:.1f} in time, {memory / most:.1f} in memory")


if __name__ == "__main__":
    sys.exit(main())
