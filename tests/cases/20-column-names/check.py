"""Names of columns beyond the contract: letters that LightGBM does not take, and names of features.

Right: names.csv.gz: a version, both columns in it by their names. clash-*.csv.gz: a version, or an error at `extract`
that names the column and what it clashes with; never a champion that cannot answer."""


def check(case):
    case.easily_promoted()
    done = case.run("names.csv.gz")
    if case.went_well("names", done):
        features = {feature["name"] for feature in case.manifest(done.lines[-1]["version"])["features"]}
        case.same("names: columns that are no features", {"цена", "скид"} - features, set())
    for file, column in [("clash-is_weekend", "is_weekend"), ("clash-window", "customer_payments_1d")]:
        # A step of its own: what is refused must be refused here.
        done = case.extract(f"{file}.csv.gz", "all.sql", file)
        if done.code != 0:
            case.failed(file, done, f"`{column}`", "feature|window|domain")
        else:
            case.went_well(f"{file}: extract took it", case.run(f"{file}.csv.gz", "--fresh", "--accept"))
