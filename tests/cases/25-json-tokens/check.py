"""JSON as programs and people write it.

Right: what RFC 8259 allows is read as what it says; what it does not is 400 and names no internals; a value that the
contract does not allow is 422 with its place."""

BEFORE = '{"payment_id": "case-25-%d", "paid_at": "2026-05-04T10:00:00Z", "customer_id": "c-25", "terminal_id": "t2", "amount": '
# (amount and what follows it, status, place of the fault)
AMOUNTS = [
    ("5}", 200, None),
    ("5.0}", 200, None),
    ("5e0}", 200, None),
    ("5E+0}", 200, None),
    ("0.5e1}", 200, None),
    ("-0}", 200, None),
    (" \t\r\n5 }\n", 200, None),
    ("5}\n\n", 200, None),
    ("1e8}", 200, None),
    ("05}", 400, None),
    ("+5}", 400, None),
    (".5}", 400, None),
    ("5.}", 400, None),
    ("0x5}", 400, None),
    ("NaN}", 400, None),
    ("Infinity}", 400, None),
    ("-Infinity}", 400, None),
    ("1e400}", [400, 422], None),
    ("'5'}", 400, None),
    ("5,}", 400, None),
    ("5} {}", 400, None),
    ("5} // five", 400, None),
    ("5", 400, None),
    ("True}", 400, None),
    ("1e308}", 422, "/amount"),
    ("true}", 422, "/amount"),
    ("null}", 422, "/amount"),
    ("[5]}", 422, "/amount"),
    ('{"value": 5}}', 422, "/amount"),
    ("-5}", 422, "/amount"),
    ('5, "is_night": 1}', 422, "/is_night"),
]  # fmt: skip
BODIES = [
    ("", 400),
    ("null", [400, 422]),
    ("5", [400, 422]),
    ('"text"', [400, 422]),
    ("{}", 422),
    ("[" * 5000, 400),
    (b'{"payment_id": "\xff"}', 400),
    (r'{"payment_id": "\ud800"}', 400),
]


def check(case):
    service = case.demo()
    for number, (rest, right, pointer) in enumerate(AMOUNTS):
        reply = service.post("/predict", BEFORE % number + rest)
        case.holds(f"`{rest.strip()}`: status {reply.status}, right: {right}", reply.status in as_list(right), reply.text)
        if pointer:
            case.same(f"`{rest.strip()}`: place", reply.pointers, [pointer])
    for body, right in BODIES:
        reply = service.post("/predict", body)
        case.holds(f"`{body[:30]}`: status {reply.status}, right: {right}", reply.status in as_list(right), reply.text)
    case.same("still ready", service.ask("GET", "/readyz").status, 200)


def as_list(value):
    return value if isinstance(value, list) else [value]
