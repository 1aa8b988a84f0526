"""Events at one instant, at the edge of a window, and late ones.

Right: a window of a day holds (t - 1 day, t]: what is exactly a day old is out, what is a microsecond younger is in; two
payments at one instant count in the order they came; a late one sees what was before it and nothing after."""

DAY = "2026-05-04T10:00:00Z"
STEPS = [
    ("the first one", DAY, 10, (1, 10)),
    ("at the same instant", DAY, 30, (2, 20)),
    ("a day later to the microsecond", "2026-05-05T10:00:00Z", 50, (1, 50)),
    ("late, and a microsecond less than a day after", "2026-05-05T09:59:59.999999Z", 70, (3, 110 / 3)),
    ("after all of them", "2026-05-05T10:00:00Z", 60, (3, 60)),
]


def check(case):
    service = case.demo()
    for place, (_, at, amount, _) in enumerate(STEPS):
        event = {"payment_id": f"case-24-{place}", "paid_at": at, "customer_id": "case-24", "terminal_id": "t2", "amount": amount}
        case.same(f"status of {place}", service.post("/predict", event).status, 200)
    features = case.logged(service, "case-24-")
    for place, (what, _, _, right) in enumerate(STEPS):
        row = features.get(f"case-24-{place}", {})
        case.same(what, (row.get("customer_payments_1d"), row.get("customer_amount_avg_1d")), right)
