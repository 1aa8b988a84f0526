"""Writes what Evidently says about seeded columns, for crates/learn/src/drift/evidently_oracle.rs to hold the Rust numbers against.

The columns are made by the same few formulas as there (SplitMix64, sums, products, floor: equal to the bit), so no
data file is kept. Needs `pip install evidently==0.7.23 'pandas<3'` (with pandas 3 it cannot be imported). Run:
python bench/drift_oracle.py > crates/learn/src/drift/evidently_expected.tsv
"""

import math
import sys
import warnings

import numpy as np
import pandas as pd

warnings.filterwarnings("ignore")
import evidently
import scipy
from evidently import DataDefinition, Dataset, Report
from evidently.legacy.calculations.data_drift import get_one_column_drift
from evidently.legacy.core import ColumnType
from evidently.legacy.options.data_drift import DataDriftOptions
from evidently.legacy.utils.data_operations import DatasetColumns, DatasetUtilityColumns
from evidently.metrics import ValueDrift
from evidently.presets import DataDriftPreset

# name, rows of the reference, rows of the current part
CASES = [("big", 100_000, 100_000), ("small", 800, 650), ("equal", 800, 800), ("lopsided", 900, 12_000)]
GAMMA = np.uint64(0x9E3779B97F4A7C15)


def units(seed, count):
    """SplitMix64's first numbers as multiples of 2^-53 in [0, 1)."""
    with np.errstate(over="ignore"):
        state = np.uint64(seed) + GAMMA * np.arange(1, count + 1, dtype=np.uint64)
        state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        state = state ^ (state >> np.uint64(31))
    return (state >> np.uint64(11)).astype(np.float64) * 2.0**-53


def bells(draws):
    """Nearly normal: twelve uniform numbers, added from the first to the last, less 6."""
    total = np.zeros(len(draws))
    for column in range(12):
        total = total + draws[:, column]
    return total - 6.0


def columns(case, part, rows):
    """Thirteen draws a row: 0 to 11 for the bell, 12 for choices. part: 0 reference, 1 current."""
    now = part == 1
    result = {}

    def draw(index):
        drawn = units(100_000 * case + 10 * index + part, rows * 13).reshape(rows, 13)
        return bells(drawn), drawn[:, 12]

    def words(picked):
        return pd.Series([f"level_{int(level)}" for level in picked], dtype="object")

    bell, _ = draw(0)
    result["normal"] = bell
    bell, _ = draw(1)
    result["shifted"] = bell + (0.15 if now else 0.0)
    _, unit = draw(2)
    result["skewed"] = 1.0 / (1.0 - 0.999 * unit) * (1.2 if now else 1.0)
    bell, _ = draw(3)
    result["wide"] = bell * bell * bell
    _, unit = draw(4)
    result["few"] = np.floor((unit * unit if now else unit) * 4.0)
    _, unit = draw(5)
    result["counts"] = np.floor(unit * unit * (33.0 if now else 30.0))
    bell, unit = draw(6)
    result["ties"] = np.where(unit < (0.5 if now else 0.6), 0.0, np.floor(bell * 10.0) / 10.0)
    bell, unit = draw(7)
    missing = 0.2 if now else 0.1
    result["gaps"] = np.where(unit < missing, np.nan, np.where(unit < missing + 0.01, np.inf, bell))
    _, unit = draw(8)
    result["flag"] = np.where(unit < (0.32 if now else 0.3), 1.0, 0.0)
    result["constant"] = np.full(rows, 5.0)
    result["replaced"] = np.full(rows, 6.0 if now else 5.0)
    bell, _ = draw(11)
    result["tiny"] = bell * 0.00001 + (0.00002 if now else 0.0)
    _, unit = draw(12)
    result["word_2"] = words(np.floor(unit + (0.43 if now else 0.4)))
    _, unit = draw(13)
    result["word_5"] = words(np.floor((0.97 if now else 1.0) * unit * 5.0))
    _, unit = draw(14)
    result["word_300"] = words(np.floor(unit * unit * (310.0 if now else 300.0)))
    result["word_same"] = words(np.zeros(rows))
    _, unit = draw(16)
    gaps = words(np.floor(unit * 4.0))
    gaps[unit < missing] = None
    result["word_gaps"] = gaps
    return pd.DataFrame(result)


def main():
    print(f"# evidently {evidently.__version__}, scipy {scipy.__version__}, numpy {np.__version__}, pandas {pd.__version__}")
    print("# case, column, chosen by itself or asked for, method, score, threshold, drifted")
    display = {
        "K-S p_value": "ks",
        "chi-square p_value": "chisquare",
        "Z-test p_value": "z",
        "Wasserstein distance (normed)": "wasserstein",
        "Jensen-Shannon distance": "jensenshannon",
    }
    for number, (case, reference_rows, current_rows) in enumerate(CASES):
        reference, current = columns(number, 0, reference_rows), columns(number, 1, current_rows)
        numbers = [name for name in reference if not name.startswith("word")]
        words = [name for name in reference if name.startswith("word")]
        definition = DataDefinition(numerical_columns=numbers, categorical_columns=words)
        datasets = [Dataset.from_pandas(frame, data_definition=definition) for frame in (current, reference)]
        chosen = [ValueDrift(column=name) for name in numbers + words]
        asked = [(name, method) for name in numbers for method in ("ks", "wasserstein", "jensenshannon")]
        asked += [(name, method) for name in words for method in ("chisquare", "jensenshannon")]
        # A report holds the scores; the function behind it also tells the method, the level and the verdict.
        snapshot = Report(chosen + [DataDriftPreset()]).run(*datasets)
        reported = {}
        preset = None
        for metric in snapshot.dict()["metrics"]:
            if metric["metric_name"].startswith("ValueDrift"):
                reported[metric["config"]["column"]] = float(metric["value"])
            elif "DriftedColumnsCount" in metric["metric_name"]:
                preset = metric["value"]
        for name, method in [(name, None) for name in numbers + words] + asked:
            kind = ColumnType.Numerical if name in numbers else ColumnType.Categorical
            utility = DatasetUtilityColumns(date=None, id=None, target=None, prediction=None)
            named = DatasetColumns(
                utility_columns=utility, target_type=None, task=None, num_feature_names=[name] if name in numbers else [],
                cat_feature_names=[name] if name in words else [], text_feature_names=[], datetime_feature_names=[],
                target_names=None,
            )
            found = get_one_column_drift(
                current_data=current, reference_data=reference, column_name=name,
                options=DataDriftOptions(all_features_stattest=method), dataset_columns=named, column_type=kind,
                agg_data=True,
            )
            score = float(found.drift_score)
            if method is None and abs(score - reported[name]) > 1e-12:
                sys.exit(f"the report says {reported[name]} and the function {score} for {case}.{name}")
            how = "chosen" if method is None else "asked"
            print(
                case, name, how, display[found.stattest_name], f"{score:.12g}", found.stattest_threshold,
                str(bool(found.drift_detected)).lower(), sep="\t",
            )
        print(case, "*", "dataset", "share", f"{preset['share']:.12g}", 0.5, int(preset["count"]), sep="\t")


main()
