"""A stray quotation mark swallows the lines behind it.

Right: an error (a quote that is open at the end of the file always; a field over hundreds of lines that each look like
a row likewise), or the swallowed lines counted."""

HEADER = "payment_id,paid_at,customer_id,terminal_id,amount,is_fraud\n"


def check(case):
    rows = [f"B{i:06},2026-01-01 00:00:00,c{i % 17},t{i % 5},5.00,false\n" for i in range(20_000)]
    unclosed = list(rows)
    unclosed[19_100] = '"' + unclosed[19_100]
    pair = list(rows)
    pair[10_000] = pair[10_000].replace(",c", ',"c')
    pair[10_799] = pair[10_799].replace(",t", '",t')
    for name, lines in [("open", unclosed), ("pair", pair)]:
        case.write(f"{name}.csv", HEADER + "".join(lines))
        done = case.extract(f"{name}.csv", run=name)
        if done.code == 0:
            case.same(f"{name}: rows in", done.lines[-1]["rows_in"], 20_000)
        else:
            case.failed(name, done, "quote|quotation")
