"""Compares our rules with mlxtend's on the sales of online_retail.csv.gz, in measures and in time.

    cargo build --release --package septet-learn --example rules_of_lines --target-dir target/bench-learn
    python3 bench/baskets.py [online_retail.csv.gz]

pip install mlxtend==0.25.0 pandas==3.1.1. Exit code 1 if any measure differs by more than 1e-9 (relative), or any
rule is on one side only. Both sides get baskets in memory; reading is not timed. mlxtend needs a table of true and
false first, whose making is timed apart.
"""
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import mlxtend
import pandas as pd
from mlxtend.frequent_patterns import association_rules, fpgrowth
from mlxtend.preprocessing import TransactionEncoder

HERE = Path(__file__).parent.parent
PROGRAM = HERE / "target" / "bench-learn" / "release" / "examples" / "rules_of_lines"
DATA = Path(sys.argv[1] if len(sys.argv) > 1 else HERE.parent / "shared" / "data" / "ecommerce" / "online_retail.csv.gz")
SUPPORT_MIN, ITEMS_MAX, ROUNDS = 0.01, 3, 5
MEASURES = ["support", "confidence", "lift", "leverage", "conviction"]


def sales():
    """Invoice and item of each sale: positive quantity and price, no cancelled invoice."""
    lines = pd.read_csv(DATA, dtype={"InvoiceNo": str, "StockCode": str})
    kept = (lines.Quantity > 0) & (lines.UnitPrice > 0) & ~lines.InvoiceNo.str.startswith("C")
    return lines.loc[kept, ["InvoiceNo", "StockCode"]]


def ours(file, confidence_min, q_max):
    command = [PROGRAM, file, str(SUPPORT_MIN), str(confidence_min), str(q_max), str(ITEMS_MAX)]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=True)
    rules = {}
    for line in done.stdout.splitlines():
        fields = line.split("\t")
        rules[frozenset(fields[0].split(",")), fields[1]] = dict(zip(MEASURES, map(float, fields[2:7])))
    return json.loads(done.stderr), rules


def theirs(baskets):
    started = time.perf_counter()
    encoder = TransactionEncoder()
    table = pd.DataFrame(encoder.fit_transform(baskets), columns=encoder.columns_)
    encoded = time.perf_counter()
    itemsets = fpgrowth(table, min_support=SUPPORT_MIN, use_colnames=True, max_len=ITEMS_MAX)
    mined = time.perf_counter()
    rules = association_rules(itemsets, metric="confidence", min_threshold=0.0)
    ruled = time.perf_counter()
    times = {"encode": encoded - started, "itemsets": mined - encoded, "rules": ruled - mined}
    return {part: 1e3 * seconds for part, seconds in times.items()}, itemsets, rules


def differences(ours_rules, their_rules):
    single = their_rules[their_rules.consequents.map(len) == 1]
    theirs_by_key = {(row.antecedents, *row.consequents): row for row in single.itertuples()}
    worst = dict.fromkeys(MEASURES, 0.0)
    for key in ours_rules.keys() & theirs_by_key.keys():
        for measure in MEASURES:
            found, expected = ours_rules[key][measure], getattr(theirs_by_key[key], measure)
            if found != expected:
                worst[measure] = max(worst[measure], abs(found - expected) / abs(expected))
    return worst, len(ours_rules.keys() ^ theirs_by_key.keys())


lines = sales()
baskets = lines.groupby("InvoiceNo").StockCode.apply(list).tolist()
with tempfile.NamedTemporaryFile("w", suffix=".tsv") as file:
    lines.to_csv(file.name, sep="\t", header=False, index=False)
    rounds = [(ours(file.name, 0, 1), theirs(baskets)) for _ in range(ROUNDS)]
    guarded = {confidence: ours(file.name, confidence, 0.05)[0] for confidence in (0, 0.1)}

(summary, our_rules), (_, itemsets, their_rules) = rounds[-1]
worst, one_sided = differences(our_rules, their_rules)
middle = lambda values: sorted(values)[len(values) // 2]
our_ms = middle([round[0][0]["rules_ms"] for round in rounds])
their_ms = {part: middle([round[1][0][part] for round in rounds]) for part in ("encode", "itemsets", "rules")}
their_all = their_ms["itemsets"] + their_ms["rules"]
our_range = [f(round[0][0]["rules_ms"] for round in rounds) for f in (min, max)]
their_range = [f(round[1][0]["itemsets"] for round in rounds) for f in (min, max)]
print(f"{summary['baskets']} baskets, {summary['items']} items, support {SUPPORT_MIN}, up to {ITEMS_MAX} items")
print(f"itemsets: ours {summary['itemsets']}, mlxtend {mlxtend.__version__} {len(itemsets)}")
print(f"rules with one consequent: ours {summary['rules']}, on one side only {one_sided}")
print("largest relative difference:", ", ".join(f"{measure} {value:.1e}" for measure, value in worst.items()))
print(f"ours {our_ms:.0f} ms (lists, itemsets, rules, tests); mlxtend encoding {their_ms['encode']:.0f}, fpgrowth "
      f"{their_ms['itemsets']:.0f}, rules {their_ms['rules']:.0f} ms; ratio {their_all / our_ms:.1f}, with encoding "
      f"{(their_all + their_ms['encode']) / our_ms:.1f} (medians of {ROUNDS}, in turn)")
print(f"min-max: ours {our_range[0]:.0f}-{our_range[1]:.0f} ms, fpgrowth {their_range[0]:.0f}-{their_range[1]:.0f} ms")
for confidence, kept in guarded.items():
    print(f"kept at q <= .05, confidence >= {confidence}: {kept['rules']} of {summary['rules']}")
same = summary["itemsets"] == len(itemsets) and one_sided == 0 and max(worst.values()) < 1e-9
sys.exit(0 if same else 1)
