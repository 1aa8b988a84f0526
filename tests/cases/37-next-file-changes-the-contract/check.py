"""The next day's file has one `n/a` in a column of numbers, or lacks the column; its version is not promoted.

Right: the champion goes on answering by the contract it was learned with ({"score": 2.5} is 200), in a service that
runs and in one that starts, and the run or the look says that `score` changed."""

import time

# A service looks for new tables every second or two and rebuilds its windows from them.
LOOKS_AGAIN_SECONDS = 5
# On one line with the column's name, which is no other use of the word. That a table lists it as a category is not enough.
CHANGED = r"\bscore\b.*\b(changed|was|is gone|lacks|missing|became|no longer)\b|\b(changed|lacks|missing|no longer)\b.*\bscore\b"


def check(case):
    case.easily_promoted()
    case.went_well("day 1", case.run("day1.csv.gz"))
    champion = case.champion()
    if not case.holds("day 1 made no champion", champion is not None):
        return
    # Whether a later version is better is no question here: this one stays.
    case.went_well("pin", case.septet("models", "fraud", "pin", champion["version"], "--why", "the case asks it"))
    # What a run refuses for want of a column comes into force when it is accepted: the champion must bear that too.
    for day, accept in [("day2-one-na", []), ("day2-no-column", []), ("day2-no-column", ["--accept"])]:
        with case.serve() as running:
            case.holds(f"{day}: the service is not ready before it", running.wait_until_ready(), running.said())
            done = case.septet("run", "fraud", "--source", f"{day}.csv.gz", "--layout", "all.sql", "--fresh", *accept)
            look = case.septet("monitor", "fraud")
            if not accept:
                told = "\n".join(line for line in (done.text + look.text).splitlines() if "score" in line)
                case.speaks_of(f"{day}: run or look say that `score` changed", told, CHANGED)
            time.sleep(LOOKS_AGAIN_SECONDS)
            asked(case, running, f"{day}: the running service", f"{day}{len(accept)}-1")
        with case.serve() as fresh:
            case.holds(f"{day}: a new service is not ready", fresh.wait_until_ready(), fresh.said())
            asked(case, fresh, f"{day}: a new service", f"{day}{len(accept)}-2")


def asked(case, service, what, key):
    event = {"payment_id": key, "paid_at": "2026-05-12T10:00:00Z", "customer_id": "c1", "terminal_id": "t2", "amount": 24, "score": 2.5}
    reply = service.post("/predict", event)
    case.holds(f"{what}: status {reply.status}, right: 200", reply.status == 200, reply.text)
    text = service.post("/predict", {**event, "payment_id": f"{key}-text", "score": "n/a"})
    case.same(f"{what}: a text as score", (text.status, text.pointers), (422, ["/score"]))
    case.same(f"{what}: /readyz", service.ask("GET", "/readyz").status, 200)
