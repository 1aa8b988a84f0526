"""Are troubles found, how soon, and how often is there an alarm about nothing? On the Handbook's payments: a champion judged
until 2018-09-05, troubles put into the rows from a known day on, and 20 looks at fortnights in which nothing was put in.

Prints two tables; fails (exit code 1) if a trouble is not found at all or quiet fortnights page beyond the budget.
Needs pandas and pyarrow, which it takes from .tools/bench (see compare.py).
"""

import argparse
import datetime
import json
import pathlib
import subprocess
import sys
import tempfile

import compare

BEGIN = "2018-09-08"
END = "2018-09-30T23:59:59"
FORTNIGHTS = 20
# Days until a label is known.
LABEL_DAYS = 7
# Trouble, the watches that may find it.
TROUBLES = [
    ("amounts times 1.3", ("drift",)),
    ("a third of the terminals renamed", ("new_terminal_id", "drift")),
    ("one amount in fifty missing", ("quarantined",)),
    ("six rows of ten lost", ("rows",)),
    ("twice as many frauds", ("label_share", "fraud_share")),
    ("concept change: frauds leave bad terminals for other cards", ("performance", "drift")),
]

MAKER = '''
import sys
import numpy as np
import pandas as pd
source, target, kind, begin = sys.argv[1:]
rows = pd.read_parquet(source)
after = rows.TX_DATETIME >= begin
random = np.random.default_rng(5)
if kind == "amounts times 1.3":
    rows.loc[after, "TX_AMOUNT"] *= 1.3
elif kind.startswith("a third of the terminals"):
    renamed = after & (rows.TERMINAL_ID % 3 == 0)
    rows.loc[renamed, "TERMINAL_ID"] += 1_000_000
elif kind.startswith("one amount in fifty"):
    rows.loc[after & (random.random(len(rows)) < 0.02), "TX_AMOUNT"] = np.nan
elif kind.startswith("six rows of ten"):
    rows = rows[~(after & (random.random(len(rows)) < 0.6))]
elif kind.startswith("twice as many"):
    share = rows.loc[after, "TX_FRAUD"].mean()
    rows.loc[after & (rows.TX_FRAUD == 0) & (random.random(len(rows)) < share), "TX_FRAUD"] = 1
elif kind.startswith("concept"):
    # Scenario 2, bad terminals, ends; as many frauds happen to cards anywhere, at ordinary amounts.
    gone = after & (rows.TX_FRAUD_SCENARIO == 2)
    share = gone.sum() / after.sum()
    rows.loc[gone, "TX_FRAUD"] = 0
    rows.loc[after & ~gone & (rows.TX_FRAUD == 0) & (random.random(len(rows)) < share), "TX_FRAUD"] = 1
else:
    sys.exit(f"no such trouble: {kind}")
rows.to_parquet(target, index=False)
'''


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--septet", type=pathlib.Path)
    parser.add_argument("--data", type=pathlib.Path)
    arguments = parser.parse_args()
    septet = arguments.septet or next(p for p in (compare.ROOT / "target" / d / "septet" for d in ("release", "debug")) if p.exists())
    data = arguments.data or compare.ROOT.parent / "shared" / "data"
    source = data / "fraud" / "handbook_transactions.parquet"
    python = compare.prepare_environment("requirements.txt")
    compare.describe_machine(septet)
    with tempfile.TemporaryDirectory() as folder:
        desk = Desk(septet.resolve(), source.resolve(), python, pathlib.Path(folder))
        desk.run("run", "fraud", *desk.rows(source), "--no-monitor")
        quiet = fortnights(desk)
        found = [trouble(desk, *one) for one in TROUBLES]
    return 0 if quiet and all(found) else 1


class Desk:
    def __init__(self, septet, source, python, folder):
        self.septet, self.source, self.python, self.folder = septet, source, python, folder

    def rows(self, source):
        return ["--source", str(source), "--layout", "fraud_handbook"]

    def run(self, *arguments):
        command = [str(self.septet), "--home", str(self.folder / "home"), "--json", *arguments]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(f"{' '.join(command)}: {done.stderr.strip().splitlines()[-1:]}")
        return json.loads(done.stdout)


def pages(look):
    return [finding for finding in look["findings"] if finding["severity"] == "page"]


def fortnights(desk):
    """Quiet fortnights: each is looked at with the eight weeks before it for usual."""
    print(f"\n{FORTNIGHTS} fortnights without a trouble\n{'usual until':12} {'pages':>5}  of")
    total, days, look = 0, 0, None
    for step in range(FORTNIGHTS):
        start = datetime.date(2018, 7, 1) + datetime.timedelta(days=4 * step)
        end = start + datetime.timedelta(days=14)
        look = desk.run("monitor", "fraud", "--reference-until", str(start), "--since", str(start), "--as-of", str(end))
        found = pages(look)
        total, days = total + len(found), days + 14
        print(f"{start}   {len(found):5}  {', '.join(finding['watch'] for finding in found)}")
    budget = look["budget"]
    allowed = budget["false_pages"] * days / int(budget["per"].rstrip("d"))
    print(f"{total} pages in {days} days looked at; the budget of {budget['false_pages']:g} in {budget['per']} allows {allowed:.1f}")
    return total <= allowed


def trouble(desk, kind, watches):
    """One trouble from its day on: what pages, and how many days later that can be known."""
    target = desk.folder / "troubled.parquet"
    subprocess.run([desk.python, "-c", MAKER, str(desk.source), str(target), kind, BEGIN], check=True)
    name = "bench-" + "".join(letter for letter in kind if letter.isalnum())[:20]
    for step in ("extract", "transform", "load"):
        desk.run("step", "fraud", step, "--run", name, *desk.rows(target))
    look = desk.run("monitor", "fraud", "--since", "2018-09-05", "--as-of", END)
    begin = datetime.datetime.fromisoformat(BEGIN + "T00:00:00+00:00")
    seen = []
    for finding in pages(look):
        found = datetime.datetime.fromisoformat(finding["found"].replace("Z", "+00:00"))
        if found >= begin:
            late = LABEL_DAYS if finding["watch"] in ("performance", "label_share", "fraud_share") else 0
            seen.append(((found - begin).days + 1 + late, finding))
    seen.sort(key=lambda one: one[0])
    due = [days for days, finding in seen if finding["watch"] in watches]
    if not getattr(desk, "headed", False):
        desk.headed = True
        print(f"\ntroubles from {BEGIN} on; days from the first wrong row to the page, labels awaited where they are needed")
    first = f"found after {due[0]} days" if due else "NOT FOUND"
    others = ", ".join(f"{finding['watch']} ({days} d)" for days, finding in seen)
    print(f"{kind:60} {first:22} pages: {others}")
    for days, finding in seen:
        if finding["watch"] in watches:
            for line in finding["causes"][:2] or finding["evidence"][:2]:
                print(f"    {line}")
            break
    return bool(due)


if __name__ == "__main__":
    sys.exit(main())
