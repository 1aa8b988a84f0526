"""The type of a CSV column in `sql` and `drift`, where later rows are not like the first 1,000.

Right: late.csv: n 1203, zips 1203; nulls.csv: notes 2 (values 5 and y); zeros.csv: codes 007 and 7 are two."""


def check(case):
    counts = case.rows("SELECT count(*) AS n, count(DISTINCT zip) AS zips FROM 'late.csv'")
    case.same("late.csv", counts, [{"n": 1203, "zips": 1203}])
    notes = [str(row["x"]) for row in case.rows("SELECT x FROM 'nulls.csv' WHERE x IS NOT NULL")]
    case.same("nulls.csv", sorted(notes), ["5", "y"])
    case.same("zeros.csv", case.value("SELECT count(DISTINCT code) AS codes FROM 'zeros.csv' WHERE id >= 1200"), 2)
    done = case.septet("drift", "late.csv", "late.csv", "--json")
    if case.went_well("drift", done):
        case.same("drift of a file beside itself", done.lines[-1]["drifted"], False)
