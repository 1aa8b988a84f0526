"""A column beyond the contract that is called like something of the product's own.

Right: the name is refused at extract with a sentence, or made unambiguous; a version that cannot be loaded never becomes
champion."""

CONTRACT = "SELECT payment_id, paid_at, customer_id, terminal_id, amount, is_fraud"
OTHER_NAMES = ["probability", "rules", "reasons", "window_start", "is_mature", "model_action"]


def check(case):
    case.easily_promoted()
    for name in ["source", "action"]:
        one(case, name, f"{name}.csv.gz", "all.sql")
    for name in OTHER_NAMES:
        case.write(f"{name}.sql", f'{CONTRACT}, "action" AS "{name}" FROM source\n')
        one(case, name, "action.csv.gz", f"{name}.sql")


def one(case, name, file, layout):
    case.new_home()
    done = case.extract(file, layout, run=f"t-{name.replace('_', '-')}")
    if done.code != 0:
        case.failed(name, done, rf"`{name}`")
        return
    done = case.run(file, "--fresh", "--accept", layout=layout)
    champion = case.champion()
    if not case.went_well(f"{name}: extract took it, the run", done) and champion is None:
        return
    case.went_well(f"{name}: monitor", case.septet("monitor", "fraud"))
    if champion is not None:
        with case.serve() as service:
            if case.holds(f"{name}: its champion does not load", service.wait_until_ready(), service.said()):
                event = {"payment_id": name, "paid_at": "2026-05-12T10:00:00Z", "customer_id": "c1", "terminal_id": "t2", "amount": 24, name: 5}
                case.same(f"{name}: asked", service.post("/predict", event).status, 200)
