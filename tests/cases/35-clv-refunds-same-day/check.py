"""Money given back, on the same day and later, in the orders of a request.

Right: an order given back as a whole is none; one given back in part counts with what is left; two orders on one day are
one day of purchase."""

ORDERS = [
    ("2026-01-01T09:00:00", 15, "first"),
    ("2026-02-01T09:00:00", 30, "part"),
    ("2026-02-01T10:00:00", -20, "part"),
    ("2026-03-01T09:00:00", 4, "two on a day"),
    ("2026-03-01T18:00:00", 6, "the second"),
    ("2026-03-20T09:00:00", 25, "whole"),
    ("2026-03-20T09:30:00", -25, "whole"),
]


def check(case):
    orders = [{"at": at, "value": value, "order_id": order} for at, value, order in ORDERS]
    reply = case.demo("ecommerce").post("/predict", {"orders": orders, "as_of": "2026-04-01"})
    case.same("status", reply.status, 200)
    # 1 January, then 1 February and 1 March with 10.00 each; 20 March was given back.
    seen = [reply.get("answer", name) for name in ["repeat_purchases", "recency_days", "age_days"]]
    case.same("repeats, recency, age", seen, [2, 59, 90])
    given = {"frequency": 2, "recency": 59, "T": 90, "monetary": 10}
    told = case.demo("ecommerce").post("/predict", given)
    case.same("the same customer told by four numbers", reply.get("answer"), told.get("answer"))
