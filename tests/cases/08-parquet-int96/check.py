"""INT96 times, as Spark, Hive and Impala write them: beyond what nanoseconds in 64 bits can hold too.

Right: each to the microsecond."""

RIGHT = [
    "1970-01-01T00:00:00",
    "1677-09-22T00:00:00",
    "1600-02-29T23:59:59.999999",
    "2026-05-04T10:00:00.000001",
    "2262-04-12T00:00:00",
    "9999-12-31T23:59:59",
]


def check(case):
    case.counts("extract", case.extract("int96.parquet"), (6, 6, 0))
    rows = case.rows(f"SELECT paid_at FROM {case.table('payments')} ORDER BY payment_id")
    case.same("times", [row["paid_at"] for row in rows], RIGHT)
