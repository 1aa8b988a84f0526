"""A run that fails (twelve rows by mistake) beside a service.

Right: exit 1, published tables, champion and answers as before (5,200 payments); no negative number of days."""

import time

# A service looks for new tables every second or two and rebuilds its windows from them.
LOOKS_AGAIN_SECONDS = 5


def check(case):
    case.history()
    case.easily_promoted()
    case.went_well("the good run", case.run("history.csv.gz", layout="demo"))
    before = case.champion()
    if not case.holds("the good run made no champion", before is not None):
        return
    with case.serve() as service:
        case.holds("the service is not ready", service.wait_until_ready(), service.said())
        first = ask(service, "q1")
        done = case.run("few.csv", layout="demo")
        case.failed("twelve rows", done)
        case.holds("twelve rows: a negative number of days", "there are -" not in done.err, done.message)
        case.same("published payments", case.value("SELECT count(*) FROM payments", "fraud"), 5200)
        case.same("champion", (case.champion() or {}).get("version"), before["version"])
        time.sleep(LOOKS_AGAIN_SECONDS)
        case.same("the same payment after the failed run", ask(service, "q2"), first)


def ask(service, key):
    """Another card and payment each time, at one terminal: the first answer changes nothing for the second one."""
    event = {"payment_id": key, "paid_at": "2026-05-10T10:00:00Z", "customer_id": f"new-{key}", "terminal_id": "t2", "amount": 240}
    reply = service.post("/predict", event)
    return reply.status, reply.get("prediction", "probability")
