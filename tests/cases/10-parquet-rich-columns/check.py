"""A Parquet file with columns beyond the contract of every ordinary type.

Right: the run ends with a version; int16, int32, uint8, float32, decimal, dictionary of texts become features; dates,
times, null, lists, structs, binary are left out, with one line that says so."""

FEATURES = {"x_int16", "x_int32", "x_uint8", "x_float32", "x_decimal", "x_dictionary"}
LEFT_OUT = {"x_date32", "x_time64", "x_ts_ns", "x_ts_utc", "x_null", "x_list", "x_struct", "x_binary"}
CONTRACT = "SELECT payment_id, paid_at, customer_id, terminal_id, amount, is_fraud"


def check(case):
    case.easily_promoted()
    # One type that ends the run must not hide the others: those that become features first, then each of the rest.
    case.write("features.sql", f"{CONTRACT}, {', '.join(sorted(FEATURES))} FROM source\n")
    case.same("features alone", extras(case, case.run("rich.parquet", layout="features.sql")), FEATURES)
    for column in sorted(LEFT_OUT):
        case.write(f"{column}.sql", f"{CONTRACT}, {column} FROM source\n")
        case.same(column, extras(case, case.run("rich.parquet", "--fresh", "--accept", layout=f"{column}.sql")), set())
    words = ["run", "fraud", "--source", "rich.parquet", "--layout", "all.sql", "--no-monitor", "--fresh", "--accept"]
    done = case.septet(*words)
    if case.went_well("all.sql", done):
        case.speaks_of("what is left out", done.text, *sorted(LEFT_OUT))
        case.same("all.sql", extras(case, case.septet(*words, "--json")), FEATURES)


def extras(case, done):
    """The features beyond the contract of the version that a run made."""
    if done.code != 0:
        return done.message
    manifest = case.manifest(done.lines[-1]["version"])
    return {feature["name"] for feature in manifest["features"] if feature["name"].startswith("x_")}
