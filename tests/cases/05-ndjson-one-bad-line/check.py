"""One line with a byte that is not UTF-8, among the first 10,000.

Right: 60 in, 59 out, row 30 quarantined as unparseable."""


def check(case):
    case.counts("extract", case.extract("lines.ndjson"), (60, 59, 1))
    case.same("quarantine", [(row["row"], row["reason"]) for row in case.quarantine()], [(30, "unparseable")])
