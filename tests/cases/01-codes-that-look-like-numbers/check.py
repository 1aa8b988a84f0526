"""Columns beyond the contract that hold codes keep what was written: 0742 is not 742, 1E5 is not 100000.

Right: each of the five columns has 4 different values, as texts; the same from CSV, from JSON texts, from a Parquet
string column and by `septet sql`."""

COLUMNS = ["mcc", "sku", "grade", "version", "card"]
COUNTS = ", ".join(f"count(DISTINCT {name}) AS {name}" for name in COLUMNS)
FOUR = dict.fromkeys(COLUMNS, 4)


def check(case):
    for file in ["codes.csv", "codes.ndjson", "codes.parquet"]:
        run = "t-" + file.replace(".", "-")
        if case.went_well(file, case.extract(file, "all.sql", run)):
            table = case.table("payments", run)
            case.same(f"{file}: different values", case.rows(f"SELECT {COUNTS} FROM {table}"), [FOUR])
            case.same(f"{file}: 0742", case.value(f"SELECT min(mcc) AS mcc FROM {table}"), "0742")
    case.same("sql: different values", case.rows(f"SELECT {COUNTS} FROM 'codes.csv'"), [FOUR])
