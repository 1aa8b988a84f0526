"""A million customers: our BG/NBD, Pareto/NBD and Gamma-Gamma beside the Python package lifetimes, on the same file, in turn.

Reading is not timed on either side; a fit begins with the customers in memory. Prints ratios and never passes or fails on
time. Exit 1 only if the parameters differ by more than a thousandth. lifetimes gets an environment in .tools/bench-purchases
of its own: it needs an older pandas.
"""

import json
import pathlib
import subprocess
import sys
import tempfile

import compare

ROUNDS = 3
CUSTOMERS = 1_000_000
ENVIRONMENT = compare.ROOT / ".tools" / "bench-purchases"

MAKER = '''
import sys
import numpy as np
count, path = int(sys.argv[1]), sys.argv[2]
random = np.random.default_rng(7)
r, alpha, a, b, p, q, gamma = .243, 4.414, .793, 2.426, 6.25, 3.74, 15.44
age = random.integers(27 * 7, 39 * 7, count) / 7
rate, leaving = random.gamma(r, 1 / alpha, count), random.beta(a, b, count)
frequency, recency, alive = np.zeros(count, int), np.zeros(count), np.ones(count, bool)
while alive.any():
    at = np.flatnonzero(alive)
    next_at = recency[at] + random.exponential(1 / rate[at])
    inside = next_at <= age[at]
    alive[at[~inside]] = False
    bought = at[inside]
    # Whole days, as shops have them.
    recency[bought] = np.minimum(np.ceil(next_at[inside] * 7) / 7, age[bought])
    frequency[bought] += 1
    alive[bought] = random.random(len(bought)) > leaving[bought]
spend = random.gamma(p * np.maximum(frequency, 1), 1 / random.gamma(q, 1 / gamma, count)) / np.maximum(frequency, 1)
spend = np.where(frequency > 0, np.round(spend + .01, 2), 0)
np.savetxt(path, np.column_stack([frequency, recency, age, spend]), "%.10g", ",", header="frequency,recency,T,monetary", comments="")
'''

PEER = '''
import json, sys, time, warnings
warnings.filterwarnings("ignore")
import pandas as pd
from lifetimes import BetaGeoFitter, GammaGammaFitter, ParetoNBDFitter
data = pd.read_csv(sys.argv[1])
said = {}
for name, make in (("bg_nbd", BetaGeoFitter), ("pareto_nbd", ParetoNBDFitter))[: int(sys.argv[2])]:
    start = time.perf_counter()
    fitter = make()
    fitter.fit(data.frequency, data.recency, data["T"])
    said[name] = {"seconds": time.perf_counter() - start, "parameters": dict(fitter.params_)}
back = data[data.frequency > 0]
start = time.perf_counter()
fitter = GammaGammaFitter()
fitter.fit(back.frequency, back.monetary)
said["gamma_gamma"] = {"seconds": time.perf_counter() - start, "parameters": dict(fitter.params_)}
print(json.dumps(said))
'''


def main():
    compare.describe_machine(None)
    python = environment()
    command = ["cargo", "build", "--release", "--quiet", "--package=septet-learn", "--example=clv_fit"]
    subprocess.run([*command, f"--target-dir={compare.ROOT / 'target' / 'bench-learn'}"], cwd=compare.ROOT, check=True)
    program = compare.ROOT / "target" / "bench-learn" / "release" / "examples" / "clv_fit"
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "customers.csv"
        subprocess.run([python, "-c", MAKER, str(CUSTOMERS), path], check=True)
        ours, peer = [], []
        for number in range(ROUNDS):
            ours.append(compare.last_object([program, path], None))
            # Pareto/NBD of the peer takes minutes: once is enough.
            models = "2" if number == 0 else "1"
            peer.append(compare.last_object([python, "-c", PEER, path, models], compare.peer_environment()))
    compare.title(f"purchases: {CUSTOMERS:,} customers, {ROUNDS} rounds")
    for name in ("bg_nbd", "pareto_nbd", "gamma_gamma"):
        theirs = [each[name]["seconds"] for each in peer if name in each]
        compare.row(name, [each[name]["seconds"] for each in ours], theirs)
    return 0 if compare.verdict("parameters", *agreement(ours[0], peer[0])) else 1


def agreement(ours, peer):
    """How far the two are apart, as a share, over all parameters of both."""
    names = {"gamma_gamma": {"p": "p", "q": "q", "gamma": "v"}}
    apart = []
    for model in ("bg_nbd", "gamma_gamma"):
        for name, value in ours[model]["parameters"].items():
            theirs = peer[model]["parameters"][names.get(model, {}).get(name, name)]
            apart.append(abs(value / theirs - 1))
    return f"largest relative difference {max(apart):.1e}", max(apart) < 1e-3


def environment():
    python = ENVIRONMENT / "bin" / "python"
    if not (ENVIRONMENT / "ready").exists():
        print("setting up .tools/bench-purchases (lifetimes, from PyPI)")
        subprocess.run([sys.executable, "-m", "venv", ENVIRONMENT], check=True)
        packages = ["lifetimes==0.11.3", "pandas<2.1", "numpy<1.27", "scipy<1.12", "setuptools<80"]
        subprocess.run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *packages], check=True)
        (ENVIRONMENT / "ready").touch()
    return python


if __name__ == "__main__":
    sys.exit(main())
