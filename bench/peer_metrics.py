"""How good a ranking is, with an interval: cards are drawn anew and not payments, because a stolen card's payments
stand or fall together.

Each fold is sorted once; a draw then only weighs its rows, which is what makes 200 draws affordable in numpy.
"""

import numpy as np
import pandas as pd

CARDS_A_DAY = 100
REPLICATES = 200
# The ends of a 95 % interval. A convention.
INTERVAL_ENDS = (0.025, 0.975)


class Exam:
    """The test rows of some folds, ready to judge scores. `folds`: pairs of training and test rows."""

    def __init__(self, payments, folds):
        tests = [payments.iloc[rows] for _, rows in folds]
        self.cards, codes = np.unique(np.concatenate([test["customer_id"] for test in tests]), return_inverse=True)
        ends = np.cumsum([len(test) for test in tests])[:-1]
        self.codes = np.split(codes, ends)
        self.truth = [test["is_fraud"].to_numpy(dtype=float) for test in tests]
        self.days = [test["paid_at"].dt.normalize().to_numpy() for test in tests]

    def values(self, scores):
        """Each metric, averaged over the folds."""
        return self._mean(self._rank(scores), np.ones(len(self.cards), dtype=int))

    def judge(self, models, seed):
        """For each model each metric with its interval, and the interval of the first model less each other one."""
        ranked = {name: self._rank(scores) for name, scores in models.items()}
        everyone = np.ones(len(self.cards), dtype=int)
        random = np.random.default_rng(seed)
        count = len(self.cards)
        draws = [np.bincount(random.integers(count, size=count), minlength=count) for _ in range(REPLICATES)]
        drawn = {name: pd.DataFrame([self._mean(folds, draw) for draw in draws]) for name, folds in ranked.items()}
        report = {name: with_intervals(self._mean(folds, everyone), drawn[name]) for name, folds in ranked.items()}
        first, *others = models
        for other in others:
            low, high = interval(drawn[first]["average_precision"] - drawn[other]["average_precision"])
            report[first]["average_precision"][f"advantage_over_{other}"] = [low, high]
        return report

    def _rank(self, scores):
        return [RankedFold(*fold) for fold in zip(scores, self.truth, self.codes, self.days)]

    def _mean(self, folds, card_weight):
        each = [fold.metrics(card_weight) for fold in folds]
        return {name: float(np.mean([metrics[name] for metrics in each])) for name in each[0]}


class RankedFold:
    """One fold in falling order of the score. truth: 0 or 1. code: index of the row's card."""

    def __init__(self, score, truth, code, day):
        order = np.argsort(-score, kind="stable")
        self.truth, self.code = truth[order], code[order]
        # Rows of one score have no order among themselves: only the last of each says how far the list went.
        sorted_score = score[order]
        self.last_of_score = np.flatnonzero(np.append(sorted_score[1:] != sorted_score[:-1], True))
        rows = pd.DataFrame({"day": day, "code": code, "score": score, "truth": truth})
        cards = rows.groupby(["day", "code"], sort=False).max().reset_index()
        cards = cards.sort_values("score", ascending=False, kind="stable")
        days = [day for _, day in cards.groupby("day")]
        self.by_day = [(day["code"].to_numpy(), day["truth"].to_numpy(dtype=int)) for day in days]

    def metrics(self, card_weight):
        weight = card_weight[self.code]
        positive = np.cumsum(weight * self.truth)[self.last_of_score]
        negative = np.cumsum(weight * (1 - self.truth))[self.last_of_score]
        listed = np.maximum(positive + negative, 1)
        gained, alarms = np.diff(positive, prepend=0), np.diff(negative, prepend=0)
        return {
            "average_precision": float(np.sum(gained * positive / listed) / positive[-1]),
            "roc_auc": float(np.sum(alarms * (positive - gained / 2)) / positive[-1] / negative[-1]),
            f"card_precision_at_{CARDS_A_DAY}": self._card_precision(card_weight),
        }

    def _card_precision(self, card_weight):
        """Misused cards among the day's 100; a found one is blocked from then on. A card drawn m times is m cards."""
        left = card_weight.copy()
        found = 0
        for code, truth in self.by_day:
            cards = left[code]
            listed_before = np.cumsum(cards) - cards
            caught = np.clip(CARDS_A_DAY - listed_before, 0, cards) * truth
            left[code] -= caught
            found += caught.sum()
        return float(found / (CARDS_A_DAY * len(self.by_day)))


def with_intervals(values, drawn):
    ends = {name: interval(drawn[name]) for name in values}
    return {name: {"value": value, "low": ends[name][0], "high": ends[name][1]} for name, value in values.items()}


def interval(values):
    return [float(end) for end in np.quantile(values, INTERVAL_ENDS)]
