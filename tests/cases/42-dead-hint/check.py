"""What a failed extract advises to look at.

Right: the query that an error advises shows the rows that broke in that run, or the message itself has one of them with
what is wrong with it."""

import re
import shlex

HEADER = "payment_id,paid_at,customer_id,terminal_id,amount,is_fraud\n"


def check(case):
    case.easily_promoted()
    case.history()
    case.went_well("an earlier good run", case.run("history.csv.gz", layout="demo"))
    case.write("trailing.csv", HEADER + "".join(f"S{i:05},2026-01-01 00:{i:02}:00,c{i % 7},t{i % 3},5.00,false,\n" for i in range(30)))
    done = case.septet("run", "fraud", "--source", "trailing.csv", "--layout", "demo", "--no-monitor")
    case.failed("the broken file", done)
    advised = re.search(r'septet sql ([^"\n]*"[^"]*")', done.err)
    if advised is None:
        case.speaks_of("a message without a query", done.err, "7 fields", "6")
        return
    words = ["fraud" if word == "DOMAIN" else word for word in shlex.split(advised[1])]
    shown = case.septet("sql", *words, "--json")
    if case.went_well(f"septet sql {advised[1]}", shown):
        case.same("rows that it shows", len(shown.lines), 30)
        case.same("their reasons", sorted({row["reason"] for row in shown.lines}), ["unparseable"])
        case.same("their files", sorted({row["source"] for row in shown.lines}), ["trailing.csv"])
