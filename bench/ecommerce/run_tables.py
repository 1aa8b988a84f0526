"""Runs a layout and every table of this folder in the order of who reads whom, and writes each as Parquet to out/.

python run_tables.py online_retail FILE [--engine duckdb|datafusion] [--threads 1] [--out DIR] [--only t1,t2]
"""
import argparse, pathlib, re, time
import pandas as pd, pyarrow as pa, pyarrow.compute, pyarrow.parquet as pq

import os
VIEWS = os.environ.get('VIEWS', 'false')
HERE = pathlib.Path(__file__).parent
TYPES = dict(line_id='VARCHAR', invoice_id='VARCHAR', sku='VARCHAR', description='VARCHAR', quantity='BIGINT',
             ordered_at='TIMESTAMP', unit_price='DOUBLE PRECISION', customer_id='VARCHAR', country='VARCHAR')


def sources(layout, path):
    if layout == 'cdnow':
        frame = pd.read_csv(path, sep='\x01', dtype=str, keep_default_na=False, na_values=[''])
        frame.columns = [name.strip() for name in frame.columns]
    else:
        frame = pd.read_csv(path, dtype=str, keep_default_na=False, na_values=[''])
    frame['_source'] = str(path)
    frame['_row'] = range(1, len(frame) + 1)
    table = pa.Table.from_pandas(frame, preserve_index=False)
    fields = [pa.field(f.name, pa.int64() if f.name == '_row' else pa.string()) for f in table.schema]
    return table.cast(pa.schema(fields))


def plan():
    texts = {p.stem: p.read_text() for p in sorted((HERE / 'tables').glob('*.sql'))}
    def reads(name):
        body = re.sub(r'--.*', '', texts[name])
        ctes = set(re.findall(r'(\w+) AS \(\s*\n\s*SELECT', body))
        return {t for t in re.findall(r'(?:FROM|JOIN)\s+(\w+)', body) if t in texts and t != name and t not in ctes}
    order, done = [], set()
    while len(order) < len(texts):
        for name in texts:
            if name not in done and reads(name) <= done:
                order.append(name); done.add(name)
    return texts, order


class DataFusion:
    def __init__(self, threads):
        from datafusion import SessionContext, SessionConfig
        self.ctx = SessionContext(SessionConfig().with_target_partitions(threads)
            .set('datafusion.sql_parser.map_string_types_to_utf8view', VIEWS)
            .set('datafusion.execution.parquet.schema_force_view_types', VIEWS))
    def put(self, name, path):
        self.ctx.register_parquet(name, str(path))
    def sql(self, text):
        frame = self.ctx.sql(text)
        batches = frame.collect()
        return pa.Table.from_batches(batches, schema=batches[0].schema if batches else frame.schema())


class Duck:
    def __init__(self, threads):
        import duckdb
        self.con = duckdb.connect()
        self.con.execute(f"SET threads={threads}")
    def put(self, name, path):
        self.con.execute(f"CREATE VIEW {name} AS SELECT * FROM read_parquet('{path}')")
    def sql(self, text):
        return self.con.execute(text).to_arrow_table()


def typed(engine, layout_sql, out):
    text = ', '.join(f'CAST({c} AS {t}) AS {c}' for c, t in TYPES.items())
    pq.write_table(engine.sql(layout_sql), out / 'shaped.parquet')
    engine.put('shaped', out / 'shaped.parquet')
    table = engine.sql(f'SELECT {text} FROM shaped')
    at = table.schema.get_field_index('ordered_at')
    table = table.set_column(at, 'ordered_at', table['ordered_at'].cast(pa.timestamp('us')))
    broken = table.filter(pa.compute.or_kleene(pa.compute.is_null(table['quantity']), pa.compute.is_null(table['unit_price'])))
    if len(broken):
        print('would be quarantined:', len(broken))
    return table


def main():
    a = argparse.ArgumentParser()
    a.add_argument('layout'); a.add_argument('file')
    a.add_argument('--engine', default='datafusion'); a.add_argument('--threads', type=int, default=1)
    a.add_argument('--out', default='out'); a.add_argument('--only')
    a = a.parse_args()
    out = HERE / a.out
    out.mkdir(exist_ok=True)
    engine = (Duck if a.engine == 'duckdb' else DataFusion)(a.threads)
    if a.layout == 'typed':
        engine.put('order_lines', HERE / a.file)
    else:
        pq.write_table(sources(a.layout, a.file), out / 'source.parquet')
        engine.put('source', out / 'source.parquet')
        started = time.time()
        lines = typed(engine, (HERE / f'sources/{a.layout}.sql').read_text(), out)
        print(f'layout {len(lines)} rows {time.time() - started:.2f} s')
        pq.write_table(lines, out / 'order_lines.parquet')
        engine.put('order_lines', out / 'order_lines.parquet')
    texts, order = plan()
    total = 0
    for name in order:
        if a.only and name not in a.only.split(','):
            if (out / f'{name}.parquet').exists():
                engine.put(name, out / f'{name}.parquet')
            continue
        started, cpu = time.time(), time.process_time()
        table = engine.sql(texts[name])
        seconds, cpu = time.time() - started, time.process_time() - cpu
        total += seconds
        pq.write_table(table, out / f'{name}.parquet')
        engine.put(name, out / f'{name}.parquet')
        print(f'{name:20s} {len(table):9,d} rows {seconds:7.2f} s {cpu:7.2f} cpu s', flush=True)
    print(f'{"all":20s} {"":14s} {total:7.2f} s')


if __name__ == '__main__':
    main()
