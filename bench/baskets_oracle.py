"""Writes crates/learn/src/baskets/overlap_expected.tsv: hypergeometric tails at 60 digits (mpmath), each compared with scipy.

pip install mpmath==1.4.1 scipy==1.17.1; the last line tells how far scipy's own digits are off.
"""
import random
from pathlib import Path

import scipy
from mpmath import mp, mpf, loggamma, exp
from scipy.stats import hypergeom

mp.dps = 60
PATH = Path(__file__).parent.parent / "crates" / "learn" / "src" / "baskets" / "overlap_expected.tsv"


def ln_choose(items, chosen):
    return loggamma(items + 1) - loggamma(chosen + 1) - loggamma(items - chosen + 1)


def tail(baskets, left, right, both):
    """P(X >= both): one probability by log-gamma, the others by their exact ratios."""
    lowest, highest = max(0, left + right - baskets), min(left, right)
    if both <= lowest:
        return mpf(1)
    term = exp(ln_choose(left, both) + ln_choose(baskets - left, right - both) - ln_choose(baskets, right))
    total = mpf(0)
    for count in range(both, highest + 1):
        total += term
        if term < total * mpf(10) ** -40:
            break
        term *= mpf((left - count) * (right - count)) / ((count + 1) * (baskets - left - right + count + 1))
    return total


def cases():
    draw = random.Random(11)
    for baskets in (10, 60, 541, 20_000, 1_000_000, 300_000_000, 4_294_967_295):
        for _ in range(64):
            share = [10 ** draw.uniform(-4, -0.01) for _ in range(2)]
            left, right = (min(baskets, max(1, round(baskets * part))) for part in share)
            lowest, highest = max(0, left + right - baskets), min(left, right)
            mean = left * right / baskets
            deviation = (mean * (1 - left / baskets) * (1 - right / baskets)) ** 0.5 + 0.5
            both = round(mean + draw.choice([-3, -1, 0, 0.5, 1, 3, 6, 12, 30]) * deviation)
            yield baskets, left, right, min(highest, max(lowest, both))


worst, lines = 0.0, []
for case in sorted(set(cases())):
    baskets, left, right, both = case
    expected = tail(*case)
    if expected < mpf(10) ** -300:
        continue
    peer = hypergeom.sf(both - 1, baskets, left, right)
    worst = max(worst, float(abs(mpf(float(peer)) / expected - 1)))
    lines.append("\t".join([*map(str, case), mp.nstr(expected, 17)]))
head = "# baskets, left, right, both, chance of both or more: bench/baskets_oracle.py"
PATH.write_text("\n".join([head, *lines]) + "\n")
print(f"{len(lines)} lines; scipy {scipy.__version__} is off by up to {worst:.1e} of a value")
