"""Drift over columns that changed their type, went or came.

Right: all ten columns are in the table; only_ref, only_cur, gone and date are named; amount and na1 (one `n/a`, and a
mean that moved by nine deviations) drifted; "has not drifted" is not said over columns that were not compared."""

COLUMNS = ["keep", "amount", "na1", "gone", "flag", "code", "date", "const", "only_ref", "only_cur"]


def check(case):
    done = case.septet("drift", "reference.csv", "current.csv")
    case.speaks_of("the table", done.out, *[rf"\b{column}\b" for column in COLUMNS])
    case.holds("it says that nothing drifted", "has not drifted" not in done.text, done.out[-200:])
    found = case.septet("drift", "reference.csv", "current.csv", "--json").lines[-1]
    columns = {column["name"]: column for column in found["columns"]}
    case.same("columns", sorted(columns), sorted(COLUMNS))
    for name in ["amount", "na1"]:
        case.same(f"{name} drifted", columns.get(name, {}).get("drifted"), True)
    case.same("keep drifted", columns["keep"]["drifted"], False)
    case.same("the data set drifted", found["drifted"], True)
