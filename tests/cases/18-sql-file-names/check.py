"""Files by name in `sql`, and a .tsv as a source.

Right: 3 rows, or an error that says which endings are known there; "not found" only where there is no file."""

ENDINGS = r"\.csv|CSV"


def check(case):
    for file in ["x.csv.gz", "x.ndjson", "x.jsonl", "x.tsv", "plan [final].csv"]:
        done = case.septet("sql", f"SELECT count(*) AS n FROM '{file}'", "--json")
        if done.code == 0:
            case.same(file, done.lines, [{"n": 3}])
        else:
            case.failed(file, done, "ending", ENDINGS)
            case.holds(f"{file}: it is there", "not found" not in done.err, done.message)
    twice = case.septet("sql", "SELECT count(*) AS n FROM 'dup.csv'", "--json")
    if twice.code == 0:
        case.same("two columns of one name", twice.lines, [{"n": 1}])
    else:
        case.failed("two columns of one name", twice, "two columns|twice|more than once", r"\ba\b")
    case.failed("nothere.csv", case.septet("sql", "SELECT count(*) AS n FROM 'nothere.csv'"), "nothere.csv", "not found|no such file|no file|not there")
    done = case.extract("x.tsv")
    if done.code == 0:
        case.counts("x.tsv as a source", done, (3, 3, 0))
    else:
        case.failed("x.tsv as a source", done, "ending", ENDINGS)
