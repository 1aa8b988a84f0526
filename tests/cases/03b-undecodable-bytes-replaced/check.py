"""A layout that says `encoding = "shift_jis"`, and bytes that are none.

Right: the row is quarantined as it is for UTF-8: two broken names must not become one."""


def check(case):
    case.layout("sj", 'encoding = "shift_jis"')
    case.counts("extract", case.extract("sjis.csv", "sj"), (60, 58, 2))
    names = case.rows(f"SELECT customer_id, count(*) AS n FROM {case.table('payments')} GROUP BY 1")
    case.same("customers", names, [{"customer_id": "田中", "n": 58}])
    case.same("reasons", [row["reason"] for row in case.quarantine()], ["unparseable"] * 2)
