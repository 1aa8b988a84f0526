"""Ten million order lines: cleaning, RFM and cohorts of ours (the domain bench/domains/shop) beside DuckDB on the same
SQL files, Polars and pandas (as it is usually written, and by someone who measured), in turn; and ours and DuckDB once
more under a memory limit of 500 MB.

Prints ratios and never passes or fails on time. Exit 1 only if the sides disagree on what they computed.
Standard library only, Python 3.11 or later, Linux; the peers get an environment of their own in .tools/bench-shop.
"""

import argparse
import decimal
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass

import compare

DOMAINS = compare.BENCH / "domains"
SQL = DOMAINS / "shop" / "tables"
TABLES = ("clean", "purchases", "rfm", "cohorts")  # each after those it reads
COPIES = 19  # of 541,909 lines
ROUNDS = 3
MEMORY_MAX = "500MB"
# Money of the peers without decimals is a whole number of these; UCI has prices of three digits.
UNITS = 10_000

MAKER = '''
import sys
import pandas as pd, pyarrow as pa, pyarrow.compute as pc, pyarrow.parquet as pq

source, target, copies = sys.argv[1], sys.argv[2], int(sys.argv[3])
raw = pd.read_csv(source, dtype=str, keep_default_na=False, na_values=[""])
text = lambda column: pa.array(column.tolist(), pa.string(), from_pandas=True)
uci = {
    "invoice_id": text(raw.InvoiceNo),
    "sku": text(raw.StockCode.str.strip().str.upper()),
    "description": text(raw.Description.str.strip()),
    "quantity": pa.array(raw.Quantity.astype("int64")),
    "ordered_at": pa.array(pd.to_datetime(raw.InvoiceDate)).cast(pa.timestamp("us")),
    "unit_price": pa.array(raw.UnitPrice.astype("float64")),
    "customer_id": text(raw.CustomerID.str.removesuffix(".0")),
    "country": text(raw.Country),
}
writer = None
for copy in range(copies):
    own = lambda name: pc.binary_join_element_wise(str(copy), uci[name], "-")
    first = copy * len(raw)
    lines = pa.array([f"{line:08}" for line in range(first, first + len(raw))])
    others = {"invoice_id": own("invoice_id"), "customer_id": own("customer_id")}
    table = pa.table({"line_id": lines} | uci | others)
    writer = writer or pq.ParquetWriter(target, table.schema, compression="zstd", compression_level=1)
    writer.write_table(table)
writer.close()
'''

DUCKDB = '''
import sys
import duckdb

source, out, threads, memory = sys.argv[1:5]
database = duckdb.connect()
database.execute("SET enable_progress_bar = false")
if threads != "all":
    database.execute(f"SET threads = {threads}")
if memory != "default":
    database.execute(f"SET memory_limit = '{memory}'")
    database.execute(f"SET temp_directory = '{out}/spill'")
written = "(FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1)"
database.execute(f"CREATE VIEW order_lines AS FROM read_parquet('{source}')")
for file in sys.argv[5:]:
    name = file.split("/")[-1].removesuffix(".sql")
    database.execute(f"COPY ({open(file, encoding='utf-8').read()}) TO '{out}/{name}.parquet' {written}")
    database.execute(f"CREATE VIEW {name} AS FROM read_parquet('{out}/{name}.parquet')")
'''

POLARS = '''
import sys
import polars as pl

source, out = sys.argv[1:3]
written = {"compression": "zstd", "compression_level": 1}
sku, quantity, price = pl.col("sku"), pl.col("quantity"), pl.col("unit_price")
columns = pl.exclude("line_id")
kinds = pl.Enum([
    "duplicate", "bad_debt", "fee", "adjustment", "cancellation", "write_off", "zero_price", "without_customer", "sale",
])
kind = (
    pl.when(~pl.struct(columns).is_first_distinct()).then(pl.lit("duplicate"))
    .when((price < 0) | (sku == "B")).then(pl.lit("bad_debt"))
    .when(sku.is_in(["POST", "DOT", "C2", "AMAZONFEE", "BANK CHARGES", "CRUK"])).then(pl.lit("fee"))
    .when(sku.is_in(["M", "D", "S"]) | sku.str.starts_with("TEST") | sku.str.starts_with("ADJUST"))
    .then(pl.lit("adjustment"))
    .when((quantity < 0) & (price > 0)).then(pl.lit("cancellation"))
    .when(quantity < 0).then(pl.lit("write_off"))
    .when((price == 0) | (quantity == 0)).then(pl.lit("zero_price"))
    .when(pl.col("customer_id").is_null()).then(pl.lit("without_customer"))
    .otherwise(pl.lit("sale"))
)
value = (quantity * price * 10_000).round().cast(pl.Int64)
lines = pl.scan_parquet(source).with_columns(kind=kind.cast(kinds), value=value).collect()
lines.write_parquet(f"{out}/clean.parquet", **written)

purchases = (
    lines.lazy().filter(pl.col("kind") == "sale")
    .group_by("customer_id", "invoice_id").agg(pl.col("ordered_at").min(), pl.col("value").sum())
    .group_by("customer_id", pl.col("ordered_at").dt.date().alias("purchased_on"))
    .agg(orders=pl.len(), value=pl.col("value").sum())
    .sort("customer_id", "purchased_on").collect()
)
purchases.write_parquet(f"{out}/purchases.parquet", **written)

score = lambda column: 1 + (5 * (pl.col(column).rank("min").cast(pl.Int64) - 1)) // pl.len().cast(pl.Int64)
newest = lines["ordered_at"].max().date()
rfm = (
    purchases.lazy().group_by("customer_id")
    .agg(
        last_on=pl.col("purchased_on").max(), frequency=pl.col("orders").cast(pl.Int64).sum(),
        monetary=pl.col("value").sum(),
    )
    .with_columns(r_score=score("last_on"), f_score=score("frequency"), m_score=score("monetary"))
    .select(
        "customer_id", (1 + (pl.lit(newest) - pl.col("last_on")).dt.total_days()).alias("recency_days"),
        "frequency", "monetary", "r_score", "f_score", "m_score",
        (100 * pl.col("r_score") + 10 * pl.col("f_score") + pl.col("m_score")).alias("cell"),
    )
    .sort("customer_id").collect()
)
rfm.write_parquet(f"{out}/rfm.parquet", **written)

months = lambda column: 12 * pl.col(column).dt.year().cast(pl.Int64) + pl.col(column).dt.month()
cohorts = (
    purchases.lazy().group_by("customer_id", pl.col("purchased_on").dt.truncate("1mo").alias("month"))
    .agg(pl.col("value").sum())
    .with_columns(cohort=pl.col("month").min().over("customer_id"))
    .group_by("cohort", (months("month") - months("cohort")).alias("age_months"))
    .agg(customers=pl.len(), revenue=pl.col("value").sum())
    .sort("cohort", "age_months").collect()
)
cohorts.write_parquet(f"{out}/cohorts.parquet", **written)
'''

PANDAS_HEAD = '''
import sys
import numpy as np
import pandas as pd

source, out = sys.argv[1:3]
written = {"compression": "zstd", "compression_level": 1}
write = lambda frame, name: frame.to_parquet(f"{out}/{name}.parquet", index=False, **written)
'''

# As it is usually written.
PANDAS_LINES = '''
lines = pd.read_parquet(source)
sku, quantity, price = lines["sku"], lines["quantity"], lines["unit_price"]
kinds = {
    "duplicate": lines.duplicated(lines.columns.drop("line_id")),
    "bad_debt": (price < 0) | (sku == "B"),
    "fee": sku.isin(["POST", "DOT", "C2", "AMAZONFEE", "BANK CHARGES", "CRUK"]),
    "adjustment": sku.isin(["M", "D", "S"]) | sku.str.startswith("TEST") | sku.str.startswith("ADJUST"),
    "cancellation": (quantity < 0) & (price > 0),
    "write_off": quantity < 0,
    "zero_price": (price == 0) | (quantity == 0),
    "without_customer": lines["customer_id"].isna(),
}
lines["kind"] = np.select(list(kinds.values()), list(kinds), default="sale")
lines["value"] = (quantity * price * 10_000).round().astype("int64")
write(lines, "clean")

sales = lines[lines["kind"] == "sale"]
invoices = sales.groupby(["customer_id", "invoice_id"]).agg({"ordered_at": "min", "value": "sum"}).reset_index()
'''

# By someone who measured: words as categories, duplicates sought among few lines.
PANDAS_CATEGORIES_LINES = '''
lines = pd.read_parquet(source, read_dictionary=["invoice_id", "sku", "description", "customer_id", "country"])
sku, quantity, price = lines["sku"], lines["quantity"], lines["unit_price"]
columns = [name for name in lines.columns if name != "line_id"]
# All columns of the few lines that share an invoice and an article, instead of all columns of all lines.
alike = lines.duplicated(["invoice_id", "sku"], keep=False).to_numpy()
duplicate = np.zeros(len(lines), dtype=bool)
duplicate[alike] = lines.loc[alike, columns].duplicated()
rules = {
    "duplicate": duplicate,
    "bad_debt": (price < 0) | (sku == "B"),
    "fee": sku.isin(["POST", "DOT", "C2", "AMAZONFEE", "BANK CHARGES", "CRUK"]),
    "adjustment": sku.isin(["M", "D", "S"]) | sku.str.startswith(("TEST", "ADJUST")),
    "cancellation": (quantity < 0) & (price > 0),
    "write_off": quantity < 0,
    "zero_price": (price == 0) | (quantity == 0),
    "without_customer": lines["customer_id"].isna(),
}
codes = np.full(len(lines), len(rules), dtype="int8")
for code, holds in reversed(list(enumerate(rules.values()))):
    codes[np.asarray(holds)] = code
lines["kind"] = pd.Categorical.from_codes(codes, [*rules, "sale"])
lines["value"] = (quantity * price * 10_000).round().astype("int64")
write(lines, "clean")

sales = lines.loc[codes == len(rules), ["customer_id", "invoice_id", "ordered_at", "value"]]
invoices = sales.groupby(["customer_id", "invoice_id"], observed=True, sort=False)
invoices = invoices.agg({"ordered_at": "min", "value": "sum"}).reset_index()
invoices["customer_id"] = invoices["customer_id"].astype(str)
'''

PANDAS_TABLES = '''
invoices["purchased_on"] = invoices["ordered_at"].dt.normalize()
purchases = invoices.groupby(["customer_id", "purchased_on"])["value"]
purchases = purchases.agg(orders="size", value="sum").reset_index()
write(purchases, "purchases")

rfm = purchases.groupby("customer_id").agg(
    last_on=("purchased_on", "max"), frequency=("orders", "sum"), monetary=("value", "sum"),
).reset_index()
score = lambda column: 1 + 5 * (column.rank(method="min").astype("int64") - 1) // len(rfm)
rfm["recency_days"] = 1 + (lines["ordered_at"].max().normalize() - rfm["last_on"]).dt.days
for name, column in (("r", "last_on"), ("f", "frequency"), ("m", "monetary")):
    rfm[f"{name}_score"] = score(rfm[column])
rfm["cell"] = 100 * rfm["r_score"] + 10 * rfm["f_score"] + rfm["m_score"]
write(rfm.drop(columns="last_on"), "rfm")

months = lambda column: 12 * column.dt.year + column.dt.month
purchases["month"] = months(purchases["purchased_on"])
monthly = purchases.groupby(["customer_id", "month"])["value"].sum().reset_index()
monthly["cohort"] = monthly.groupby("customer_id")["month"].transform("min")
monthly["age_months"] = monthly["month"] - monthly["cohort"]
cohorts = monthly.groupby(["cohort", "age_months"])["value"].agg(customers="size", revenue="sum").reset_index()
first = (cohorts["cohort"] - 1) // 12 * 100 + (cohorts["cohort"] - 1) % 12 + 1
cohorts["cohort"] = pd.to_datetime(first.astype(str), format="%Y%m")
write(cohorts, "cohorts")
'''

PANDAS = PANDAS_HEAD + PANDAS_LINES + PANDAS_TABLES
PANDAS_CATEGORIES = PANDAS_HEAD + PANDAS_CATEGORIES_LINES + PANDAS_TABLES

# What all sides must agree on, from the files that each wrote; not timed.
CHECKER = '''
import json, sys
import duckdb

rows = lambda table, sql: duckdb.sql(sql.replace("TABLE", f"'{sys.argv[1]}/{table}.parquet'")).fetchall()
found = {
    # The sum of the lines' numbers tells whether they are the same lines.
    "kinds": rows("clean", """SELECT CAST(kind AS VARCHAR), count(*), sum(CAST(line_id AS BIGINT)), sum(value)
        FROM TABLE GROUP BY ALL ORDER BY ALL"""),
    "purchases": rows("purchases", "SELECT count(*), sum(orders), sum(value) FROM TABLE"),
    "rfm": rows("rfm", """SELECT count(*), sum(recency_days), sum(frequency), sum(monetary),
        sum(r_score), sum(f_score), sum(m_score) FROM TABLE"""),
    "cells": rows("rfm", "SELECT cell, count(*) FROM TABLE GROUP BY ALL ORDER BY ALL"),
    "cohorts": rows("cohorts", """SELECT CAST(CAST(cohort AS DATE) AS VARCHAR), age_months, customers, revenue
        FROM TABLE ORDER BY ALL"""),
}
print(json.dumps(found, default=str))
'''


@dataclass
class Measured:
    seconds: float
    processor_seconds: float
    memory_mb: float

    def then(self, later):
        processor_seconds = self.processor_seconds + later.processor_seconds
        return Measured(self.seconds + later.seconds, processor_seconds, max(self.memory_mb, later.memory_mb))


def main():
    arguments = parse_arguments()
    compare.ENVIRONMENT = compare.ROOT / ".tools" / "bench-shop"
    python = compare.prepare_environment("requirements_shop.txt")
    compare.describe_machine(arguments.septet)
    with tempfile.TemporaryDirectory(dir=arguments.scratch) as folder:
        bench = Bench(arguments.septet, python, pathlib.Path(folder))
        bench.make(arguments.source, arguments.copies)
        answers = {}
        times = in_turn(bench, arguments.rounds, answers)
        print_times(times, arguments)
        print_limited(limited(bench, answers), times)
    expected = answers["ours, both"][0]
    print_answer(expected)
    apart = differences(answers, expected)
    text = ", ".join(apart) or f"equal on all {len(answers)} sides and in all rounds"
    return 0 if compare.verdict("what was computed", text, not apart) else 1


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    built = [compare.ROOT / "target" / profile / "septet" for profile in ("release", "debug")]
    parser.add_argument("--septet", type=pathlib.Path, default=next((path for path in built if path.exists()), built[0]))
    parser.add_argument("--data", type=pathlib.Path, help="default: $SEPTET_DATA, else ../shared/data")
    parser.add_argument("--copies", type=int, default=COPIES, help=f"of UCI Online Retail, default {COPIES}")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--scratch", type=pathlib.Path, help="folder for some 3 GB of files, default: the system's")
    arguments = parser.parse_args()
    data = arguments.data or pathlib.Path(os.environ.get("SEPTET_DATA") or compare.ROOT.parent / "shared" / "data")
    arguments.source = data / "ecommerce" / "online_retail.csv.gz"
    for path, hint in ((arguments.septet, "build it, or give --septet"), (arguments.source, "give --data")):
        if not path.exists():
            parser.error(f"there is no `{path}`: {hint}")
    arguments.septet = arguments.septet.resolve()
    return arguments


class Bench:
    """How each side is called. Every call gets an empty folder, so that nothing is resumed or left over."""

    def __init__(self, septet, python, folder):
        self.septet, self.python, self.folder = septet, python, folder
        self.source, self.calls, self.written = folder / "order_lines.parquet", 0, None

    def make(self, uci, copies):
        """UCI so many times over, with other invoices and customers in each copy."""
        made = [self.python, "-c", MAKER, uci, self.source, str(copies)]
        subprocess.run(made, check=True, env=compare.peer_environment())

    def fresh(self):
        self.calls += 1
        fresh = self.folder / str(self.calls)
        fresh.mkdir()
        return fresh

    def ours(self, memory_max=None):
        home = self.fresh()
        environment = os.environ | ({"SEPTET_MEMORY_MAX": memory_max} if memory_max else {})
        given = ["--domains", DOMAINS, "--source", self.source, "--layout", "typed"]
        step = lambda name: [self.septet, "step", "shop", name, "--run", "r", "--home", home, *given, "--json"]
        extract, transform = (measure(step(name), environment) for name in ("extract", "transform"))
        self.written = next(home.rglob("clean.parquet")).parent
        return {"extract": extract, "transform": transform, "both": extract.then(transform)}

    def peer(self, script, *words, threads=None):
        self.written = self.fresh()
        environment = compare.peer_environment() | ({"POLARS_MAX_THREADS": threads} if threads else {})
        return measure([self.python, "-c", script, self.source, self.written, *words], environment)

    def duckdb(self, threads="all", memory="default"):
        return self.peer(DUCKDB, threads, memory, *(SQL / f"{name}.sql" for name in TABLES))

    def answer(self):
        """What the last call wrote, money in UNITS."""
        command = [self.python, "-c", CHECKER, self.written]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=compare.peer_environment())
        return {name: [[plain(value) for value in row] for row in rows] for name, rows in json.loads(done.stdout).items()}


def plain(value):
    """Decimals come as text with a point; names and dates have none."""
    return int(decimal.Decimal(value) * UNITS) if isinstance(value, str) and "." in value else value


def measure(command, environment):
    """From the start of the process to its exit, as a person waits; its processor time, which a busy machine stretches
    less; and the peak of its resident memory."""
    with tempfile.TemporaryFile() as said:
        start = time.perf_counter()
        process = subprocess.Popen([str(word) for word in command], env=environment, stdout=said, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            said.seek(0)
            shown = " ".join(str(word) for word in command if "\n" not in str(word))
            raise SystemExit(f"exit code {process.returncode} from {shown}\n{said.read().decode()[-2000:]}")
    return Measured(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def in_turn(bench, rounds, answers):
    """Times by side; what each call computed goes to `answers`, by side."""
    sides = {
        "DuckDB, all threads": bench.duckdb,
        "DuckDB, 1 thread": lambda: bench.duckdb(threads="1"),
        "Polars, all threads": lambda: bench.peer(POLARS),
        "Polars, 1 thread": lambda: bench.peer(POLARS, threads="1"),
        "pandas": lambda: bench.peer(PANDAS),
        "pandas with categories": lambda: bench.peer(PANDAS_CATEGORIES),
    }
    times = {name: [] for name in ("ours, extract", "ours, transform", "ours, both", *sides)}
    for _ in range(rounds):
        for name, measured in bench.ours().items():
            times[f"ours, {name}"].append(measured)
        answers.setdefault("ours, both", []).append(bench.answer())
        for name, side in sides.items():
            times[name].append(side())
            answers.setdefault(name, []).append(bench.answer())
    return times


def limited(bench, answers):
    """Once each with MEMORY_MAX: ours, and DuckDB, which can spill to disk too."""
    times = {f"ours, {name}": measured for name, measured in bench.ours(MEMORY_MAX).items()}
    answers["ours, limited"] = [bench.answer()]
    times["DuckDB, all threads"] = bench.duckdb(memory=MEMORY_MAX)
    answers["DuckDB, limited"] = [bench.answer()]
    return times


def differences(answers, expected):
    """Which side differs from ours in what, once each."""
    return sorted({
        f"{part} of {side}"
        for side, found in answers.items() for answer in found for part in expected if answer[part] != expected[part]
    })


def print_times(times, arguments):
    print(f"\nshop: UCI Online Retail times {arguments.copies}, {arguments.rounds} rounds, from start to exit")
    print("  ratios: by ours, extract and transform, and by ours, transform alone; peers take the file as it is, unchecked")
    print(f"  {'':24}{'seconds':>12}{'/ both':>9}{'/ transform':>13}{'processor':>13}{'peak memory':>14}   min-max")
    for name, measured in times.items():
        line(name, measured, median(times["ours, both"]), median(times["ours, transform"]))


def print_limited(limited, times):
    print(f"\nwith memory_max = {MEMORY_MAX} (ours) and memory_limit = {MEMORY_MAX} (DuckDB), once each")
    for name, measured in limited.items():
        line(name, [measured], median(times["ours, both"]), median(times["ours, transform"]))


def line(name, measured, both, transform):
    seconds, all_seconds = median(measured), [each.seconds for each in measured]
    processor = statistics.median(each.processor_seconds for each in measured)
    memory = max(each.memory_mb for each in measured)
    ratios = f"{seconds / both:>8.2f}x{seconds / transform:>12.2f}x"
    spread = f"{min(all_seconds):.2f}-{max(all_seconds):.2f} s"
    print(f"  {name:<24}{seconds:>10.2f} s{ratios}{processor:>11.2f} s{memory:>11,.0f} MB   {spread}")


def median(measured):
    return statistics.median(each.seconds for each in measured)


def print_answer(answer):
    print("\nwhat was computed")
    for kind, lines, _, value in answer["kinds"]:
        print(f"  {kind:<24}{lines:>12,} lines{value / UNITS:>20,.2f} GBP")
    customers, invoices = answer["rfm"][0][0], answer["purchases"][0][1]
    cells, months = len(answer["cells"]), len(answer["cohorts"])
    print(f"  {customers:,} customers with {invoices:,} invoices; {cells} cells of RFM, {months} of cohorts")


if __name__ == "__main__":
    sys.exit(main())
