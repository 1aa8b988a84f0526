"""gzip with zeros behind (tape, tar), a name in capitals, and something else behind the data.

Right: padded.csv.gz: 30 rows, as gzip -d gives. UPPER.CSV.GZ: 30 rows. garbage.csv.gz: an error that says that
something follows the data."""


def check(case):
    case.counts("padded", case.extract("padded.csv.gz", run="padded"), (30, 30, 0))
    case.counts("UPPER", case.extract("UPPER.CSV.GZ", run="upper"), (30, 30, 0))
    done = case.extract("garbage.csv.gz", run="garbage")
    case.failed("garbage", done, r"follow|behind|beyond|after the")
    case.holds("garbage: it does not end in the middle", "ends in the middle" not in done.err, done.message)
