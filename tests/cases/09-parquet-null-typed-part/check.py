"""Parts of one table whose writers gave a column another (equivalent) type, and a column of type null.

Right: null, large, order, ns: 40 rows each, or an error that names the column and both types. label-null.parquet (no
label is known yet, as pandas writes it): 40 out."""

NAMED = {
    "null": ["note", r"null(?!-)", "utf8|string|text"],
    "large": ["note", r"large(?!-)", "utf8|string|text"],
    "order": ["payment_id|paid_at"],
    "ns": ["paid_at", r"\bns\b(?!-)|nano", r"\b[uµ]s\b|micro"],
}


def check(case):
    for parts, named in NAMED.items():
        done = case.extract(f"{parts}-*.parquet", "all.sql", parts)
        if done.code == 0:
            case.counts(parts, done, (40, 40, 0))
            notes = case.value(f"SELECT count(note) FROM {case.table('payments', parts)}")
            case.same(f"{parts}: notes", notes, 20 if parts == "null" else 40)
        else:
            case.failed(parts, done, *named)
    case.counts("label-null", case.extract("label-null.parquet", run="label"), (40, 40, 0))
    case.same("known labels", case.value(f"SELECT count(is_fraud) FROM {case.table('payments', 'label')}"), 0)
