"""Amounts as people write them, with a point and with a comma.

Right: a number is taken as what it says or quarantined, and never becomes another number (1.234 under a decimal comma
is no thousandth, 1,234 under a point is not 1.234)."""

HEADER = "payment_id,paid_at,customer_id,terminal_id,amount,is_fraud\n"
POINT = {
    "5": 5.0,
    "5.00": 5.0,
    "+5": 5.0,
    "005.50": 5.5,
    ".5": 0.5,
    "5.": 5.0,
    " 5.5 ": 5.5,
    "1e3": 1000.0,
    "1E-2": 0.01,
    "0": 0.0,
    "12345678.99": 12345678.99,
    "1e8": 100000000.0,
    "0.30000000000000004": 0.30000000000000004,
}
NO_NUMBER = ["12,5", "1,234", "1,234.50", "1 234", "1\u00a0234", "1'234", "1_000", "5 EUR", "€5", "$5", "(5)", "5-", "0x10", "inf", "NaN", "1e999", "٥", "5.0.0", "1/2"]
# Below zero, and beyond what a payment can be.
OUT_OF_RANGE = ["-5", "1e308"]
COMMA = {"12,5": 12.5, "1234": 1234.0, "0,1": 0.1, "1.234": None, "1.234,50": None, "1,234,567": None, "12.5": None}


def check(case):
    may_break = lambda text: text.replace("[input.payments]\n", "[input.payments]\nquarantine_share_max = 1.0\n")
    case.layout("german", 'decimal = ","', change=may_break)
    for layout, amounts in [("demo", {**POINT, **dict.fromkeys(NO_NUMBER + OUT_OF_RANGE)}), ("german", COMMA)]:
        rows = [f'P{place},2026-01-01 00:00:00,c,t,"{text}",false\n' for place, text in enumerate(amounts)]
        case.write(f"{layout}.csv", HEADER + "".join(rows))
        taken = sum(right is not None for right in amounts.values())
        case.counts(layout, case.extract(f"{layout}.csv", layout, layout), (len(amounts), taken, len(amounts) - taken))
        table = case.rows(f"SELECT payment_id, amount FROM {case.table('payments', layout)}")
        got = {row["payment_id"]: row["amount"] for row in table}
        for place, (text, right) in enumerate(amounts.items()):
            case.same(f"{layout}: `{text}`", got.get(f"P{place}"), right)
