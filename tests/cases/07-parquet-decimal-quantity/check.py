"""Parquet types that the contract judges, not the engine's cast.

Right: a decimal that is not whole, a date, a time, a duration as `integer`: quarantined as `type`. A dictionary of
integers as a time or as a bool other than 0 and 1: quarantined, as int64 is. decimal(1, 0) as a bool (Oracle's
NUMBER(1)): true and false. Under `decimal = ","` 1.234 is quarantined and 12,5 is 12.5 whatever the kind of text."""

import re

from harness import demo_select


def check(case):
    case.domain("ecommerce", all_may_break)
    german = '\n[layout.german]\ndecimal = ","\n'
    case.domain("fraud", lambda text: all_may_break(text) + german, add={"sources/german.sql": demo_select("fraud")})
    for file in ["decimal", "date32", "time64", "duration", "ts_ms"]:
        all_quarantined(case, file, "ecommerce", "quantity")
    all_quarantined(case, "dict-int-as-time", "fraud", "paid_at")
    all_quarantined(case, "dict-int-as-bool", "fraud", "is_fraud")
    case.counts("dec01-as-bool", case.extract("dec01-as-bool.parquet", run="dec01-as-bool"), (6, 6, 0))
    truths = case.rows(f"SELECT is_fraud, count(*) AS n FROM {case.table('payments', 'dec01-as-bool')} GROUP BY 1 ORDER BY 1")
    case.same("dec01-as-bool", truths, [{"is_fraud": False, "n": 3}, {"is_fraud": True, "n": 3}])
    for file in ["german-string", "german-large", "german-dict"]:
        case.counts(file, case.extract(f"{file}.parquet", "german", file), (6, 4, 2))
        amounts = case.rows(f"SELECT DISTINCT amount FROM {case.table('payments', file)} ORDER BY 1")
        case.same(f"{file}: amounts", [row["amount"] for row in amounts], [12.5, 1234.0])


def all_may_break(text):
    """Every row of most files is broken, and that is what is looked at."""
    return re.sub(r"(?m)^(\[input\.[a-z_]+\])$", r"\1\nquarantine_share_max = 1.0", text)


def all_quarantined(case, file, domain, column):
    case.counts(file, case.extract(f"{file}.parquet", run=file, domain=domain), (6, 0, 6))
    rows = case.rows(f"SELECT * FROM {case.table('quarantine', file, domain)}")
    case.same(f"{file}: quarantine", [(row["column"], row["reason"]) for row in rows], [(column, "type")] * 6)
