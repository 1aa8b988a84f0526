"""A second 60 where no leap second was; nanoseconds before 1970.

Right: 2026-05-04T10:00:60Z is quarantined in a file and 422 from the service; -1 ns is 1969-12-31T23:59:59.999999, as
the text 23:59:59.999999999 gives."""

SECOND_60 = "2026-05-04T10:00:60Z"


def check(case):
    case.counts("times.csv", case.extract("times.csv"), (31, 30, 1))
    case.same("quarantine", [(row["column"], row["value"]) for row in case.quarantine()], [("paid_at", SECOND_60)])
    case.counts("ns.parquet", case.extract("ns.parquet", run="ns"), (20, 20, 0))
    times = case.rows(f"SELECT DISTINCT paid_at FROM {case.table('payments', 'ns')}")
    case.same("-1 ns", times, [{"paid_at": "1969-12-31T23:59:59.999999"}])
    event = {"payment_id": "case-13", "paid_at": SECOND_60, "customer_id": "c", "terminal_id": "t", "amount": 5}
    reply = case.demo().post("/predict", event)
    case.same("second 60 in a request", (reply.status, reply.pointers), (422, ["/paid_at"]))
