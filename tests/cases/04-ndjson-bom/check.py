"""A byte order mark before the first object of a JSON Lines file.

Right: one.ndjson: 1 row; many.ndjson: 30 in, 30 out, column `channel` there (`web` once)."""


def check(case):
    case.counts("one.ndjson", case.extract("one.ndjson", "all.sql", "one"), (1, 1, 0))
    case.counts("many.ndjson", case.extract("many.ndjson", "all.sql", "many"), (30, 30, 0))
    case.same("web", case.value(f"SELECT count(*) FROM {case.table('payments', 'many')} WHERE channel = 'web'"), 1)
