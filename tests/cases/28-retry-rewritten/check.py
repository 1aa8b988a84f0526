"""The same event in other words: 240.0 for 240, another offset, another order, CSV for JSON.

Right: 200, the first request_id, `idempotent-replayed: true`; another amount 409."""


def check(case):
    case.requests()
    case.requests("restaurant.json", "restaurant")
