"""A column beyond the contract that was UInt8 in the Parquet file, asked with 300.

Right: 300 is 422 (range), or the model sees 300; the OpenAPI document promises any 64-bit whole number."""


def check(case):
    case.easily_promoted()
    case.went_well("run", case.run("uint8.parquet"))
    if not case.holds("no champion", case.champion() is not None):
        return
    values, taken = {"u1": 1, "u300": 300, "u256": 256, "um1": -1}, {}
    with case.serve() as service:
        case.holds("the service is not ready", service.wait_until_ready(), service.said())
        for key, value in values.items():
            event = {"payment_id": key, "paid_at": "2026-05-12T10:00:00Z", "customer_id": "c1", "terminal_id": "t2", "amount": 24, "extra": value}
            reply = service.post("/predict", event)
            if reply.status == 200:
                taken[key] = float(value)
            else:
                case.same(f"extra {value}", (reply.status, reply.pointers), (422, ["/extra"]))
    case.holds("extra 1 is refused", "u1" in taken)
    seen = {key: features.get("extra") for key, features in case.logged(service, "u").items()}
    case.same("what the model saw", seen, taken)
