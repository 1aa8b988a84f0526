"""Whole numbers beyond 64 bits, and decimals beyond 38 digits.

Right: an error that speaks of an overflow, or the wider number."""

WIDE = "CAST('99999999999999999999999999999999999999' AS DECIMAL(38,0))"
QUERIES = {
    "SELECT sum(x) AS v FROM 'big.csv'": 2**63,
    "SELECT y * y AS v FROM 'big.csv' LIMIT 1": 10**20,
    "SELECT 9223372036854775807 + 1 AS v": 2**63,
    "SELECT CAST(2000000000 AS INT) + CAST(2000000000 AS INT) AS v": 4000000000,
    f"SELECT sum(v) AS v FROM (SELECT {WIDE} AS v UNION ALL SELECT {WIDE})": 2 * (10**38 - 1),
}


def check(case):
    for query, right in QUERIES.items():
        done = case.septet("sql", query, "--json")
        if done.code == 0:
            case.same(query, int(float(done.lines[-1]["v"])), right)
        else:
            case.failed(query, done, "overflow")
