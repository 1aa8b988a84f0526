"""Columns that are filled after the fact: `handled_by`, `case_opened`.

Right: both are named as telling the label nearly perfectly, and such a version does not become champion without a
word."""

WARNS = "label|leak|alone|perfect|after the fact"


def check(case):
    case.easily_promoted()
    done = case.septet("run", "fraud", "--source", "leak.csv.gz", "--layout", "all.sql", "--no-monitor")
    lines = done.text.splitlines()
    for card in case.home.glob("models/fraud/*/card.md"):
        # The list of columns is no warning.
        lines += [line for line in card.read_text().splitlines() if "Columns beyond the contract" not in line]
    warnings = "\n".join(line for line in lines if any(word in line.lower() for word in WARNS.split("|")))
    case.speaks_of("warnings in output and card", warnings, "handled_by", "case_opened")
    if case.champion() is not None:
        case.speaks_of("it became champion, and the run", done.text, "handled_by", "case_opened")
