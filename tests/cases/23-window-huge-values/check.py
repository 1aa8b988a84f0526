"""Amounts near the end of what a double holds, in trailing windows.

Right: a value beyond 1e24 counts as null in windows, so that sums stay finite: the mean of (1.7e308, 1.7e308, 10) is
10; a batch gives what single requests give, and each answer can be made again, equal to the bit."""

AMOUNTS = [1.7e308, 1.7e308, 10, 1e24, 5]
# A 1e24 stays in: it is the largest that windows take.
MEANS = [None, None, 10, (1e24 + 10) / 2, (1e24 + 15) / 3]


def check(case):
    case.history()
    case.easily_promoted()
    # The fraud domain refuses such payments by its contract; a domain without a `max` takes them.
    toml = case.folder / "domains" / "fraud" / "domain.toml"
    toml.write_text(toml.read_text().replace(", max = 1e9", ""))
    case.went_well("run", case.run("history.csv.gz", layout="demo"))
    with case.serve() as service:
        if case.holds("the service is not ready", service.wait_until_ready(), service.said()):
            asked(case, service)


def asked(case, service):
    events = {way: [payment(way, place, amount) for place, amount in enumerate(AMOUNTS)] for way in ["one", "all"]}
    replies = [service.post("/predict", event) for event in events["one"]]
    case.same("single requests", [reply.status for reply in replies], [200] * len(AMOUNTS))
    batch = service.post("/predict/batch", events["all"])
    case.same("batch", (batch.status, batch.get("summary", "answered")), (200, len(AMOUNTS)))
    features = case.logged(service, "case-23-")
    for way in events:
        means = [features.get(f"case-23-{way}-{place}", {}).get("customer_amount_avg_7d", "-") for place in range(len(AMOUNTS))]
        case.same(f"means of {way}", means, MEANS)
    for reply in replies:
        replayed = case.septet("replay", "fraud", reply.get("request_id"), "--json")
        if case.went_well("replay", replayed):
            case.same("replayed", replayed.lines[-1]["equal"], True)


def payment(way, place, amount):
    return {"payment_id": f"case-23-{way}-{place}", "paid_at": f"2026-05-04T10:00:0{place}Z", "customer_id": f"case-23-{way}", "terminal_id": "t2", "amount": amount}
