"""One name twice with two values.

Right: 400 or 422 that names the field, in each domain and for /feedback; in a batch the row is refused; twice.ndjson:
299 out, 1 quarantined."""


def check(case):
    case.requests()
    case.requests("restaurant.json", "restaurant")
    case.requests("ecommerce.json", "ecommerce")
    case.counts("twice.ndjson", case.extract("twice.ndjson"), (300, 299, 1))
