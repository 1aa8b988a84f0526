"""Words that other readers take for null: NA is Namibia, and a card may be called `null`.

Right: every row out, `NA` counted as a country, each id as it was written; only the empty field is null."""

WORDS = ["NA", "null", "NULL", "None", "nan", "NaN", "N/A", "n/a", "#N/A", "-", "nil", "undefined", "true", "1.0", "007"]
HEADER = "payment_id,paid_at,customer_id,terminal_id,amount,is_fraud,country\n"


def check(case):
    country = lambda place: "NA" if place % 3 == 0 else "DE"
    rows = [f"{word},2026-01-01 00:00:00,{word},{word},5.00,false,{country(place)}\n" for place, word in enumerate(WORDS)]
    case.write("words.csv", HEADER + "".join(rows) + "last,2026-01-01 00:00:00,c,t,5.00,false,\n")
    case.write("all.sql", "SELECT * FROM source\n")
    case.counts("extract", case.extract("words.csv", "all.sql"), (16, 16, 0))
    got = case.rows(f"SELECT payment_id, customer_id, terminal_id FROM {case.table('payments')} WHERE payment_id <> 'last'")
    case.same("ids", sorted(tuple(row.values()) for row in got), sorted((word, word, word) for word in WORDS))
    case.same("payments in NA", case.value(f"SELECT count(*) FROM {case.table('payments')} WHERE country = 'NA'"), 5)
    case.same("payments in no country", case.value(f"SELECT count(*) FROM {case.table('payments')} WHERE country IS NULL"), 1)
