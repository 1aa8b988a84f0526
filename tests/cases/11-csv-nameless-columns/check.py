"""Columns without a name, and a delimiter at the end of each row.

Right: nameless.csv: 30 out (the columns are empty), or an error that speaks of columns 7 and 8 without a name.
trailing.csv: 30 out, or an error whose own text says that rows have 7 fields where the header has 6."""


def check(case):
    for file, words in [("nameless", ["7", "8", "name"]), ("trailing", ["7 fields", r"\b6\b"])]:
        done = case.extract(f"{file}.csv", run=file)
        if done.code == 0:
            case.counts(file, done, (30, 30, 0))
        else:
            case.failed(file, done, *words)
