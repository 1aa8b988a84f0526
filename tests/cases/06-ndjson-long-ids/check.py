"""Numbers in JSON that are read into text columns.

Right: 6 rows with the digits of the file; none quarantined."""

RIGHT = {
    "18446744073709551616": "1.10",
    "18446744073709551617": "1E5",
    "123456789012345678901234567890": "90071992547409930001",
    "9007199254740993": "12.50",
    "18446744073709551615": "1.0",
    "7": "1",
}


def check(case):
    case.counts("ids.ndjson", case.extract("ids.ndjson"), (6, 6, 0))
    case.counts("ids-relaxed.ndjson", case.extract("ids-relaxed.ndjson", run="relaxed"), (46, 46, 0))
    for run in ["t", "relaxed"]:
        rows = case.rows(f"SELECT payment_id, customer_id FROM {case.table('payments', run)} WHERE payment_id NOT LIKE 'S%'")
        case.same(f"{run}: ids", {row["payment_id"]: row["customer_id"] for row in rows}, RIGHT)
