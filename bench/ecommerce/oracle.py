"""The key figures of every table on UCI Online Retail, reckoned again with pandas and plain loops from the raw file, and
compared with out/*.parquet. Written from the words of the README, not from the SQL: loops where the SQL has windows.
"""
import collections, math, sys
import numpy as np, pandas as pd

OUT = sys.argv[1] if len(sys.argv) > 1 else 'out'
raw = pd.read_csv('/work/shared/data/ecommerce/online_retail.csv.gz', dtype=str, keep_default_na=False)
checks = []


def check(name, ok, note=''):
    checks.append(bool(ok))
    print(('ok    ' if ok else 'WRONG ') + name, note)


def table(name):
    frame = pd.read_parquet(f'{OUT}/{name}.parquet')
    for column in frame:
        if frame[column].dtype == object and len(frame) and type(frame[column].dropna().iloc[0]).__name__ == 'Decimal':
            frame[column] = frame[column].map(lambda v: None if v is None else int(v * 10000)).astype('Int64')   # 1/10000 of a pound
    return frame


# ---- raw to kinds -------------------------------------------------------------------------------------------------
d = pd.DataFrame(dict(
    row=np.arange(1, len(raw) + 1), inv=raw.InvoiceNo, sku=raw.StockCode.str.strip().str.upper(), desc=raw.Description.str.strip(),
    q=raw.Quantity.astype('int64'), at=pd.to_datetime(raw.InvoiceDate), mp=(raw.UnitPrice.astype(float) * 10000).round().astype('int64'),
    cust=raw.CustomerID.str.split('.').str[0], country=raw.Country))
d['id'] = d.inv + '-' + d.row.astype(str)
d['v'] = d.q * d.mp
check('raw: 541,909 lines, 9,747,747.934', len(d) == 541909 and d.v.sum() == 97477479340, d.v.sum() / 1e4)
seen, dup = set(), []
for key in zip(d.inv, d.sku, d.desc, d.q, d['at'], d.mp, d.cust, d.country):
    dup.append(key in seen); seen.add(key)


def kind(is_dup, sku, q, mp, cust):
    if is_dup: return 'duplicate'
    if mp < 0 or sku == 'B': return 'bad_debt'
    if sku in {'POST', 'DOT', 'C2', 'AMAZONFEE', 'BANK CHARGES', 'CRUK'}: return 'fee'
    if sku in {'M', 'D', 'S'} or sku.startswith('TEST') or sku.startswith('ADJUST'): return 'adjustment'
    if q < 0: return 'cancellation' if mp > 0 else 'write_off'
    if mp == 0 or q == 0: return 'zero_price'
    return 'sale' if cust else 'without_customer'


d['kind'] = [kind(*t) for t in zip(dup, d.sku, d.q, d.mp, d.cust)]
lines = table('lines')
# Of two equal lines it does not matter which is kept: compare everything but the number.
def bag(frame, cols): return collections.Counter(zip(*[frame[c] for c in cols]))
mine = bag(d.assign(desc=d.desc, cust=d.cust), ['inv', 'sku', 'q', 'at', 'cust', 'country', 'kind', 'v'])
theirs = bag(lines.assign(customer_id=lines.customer_id.fillna('')), ['invoice_id', 'sku', 'quantity', 'ordered_at', 'customer_id', 'country', 'kind', 'value'])
check('lines: every line has the same kind and value', mine == theirs)
check('lines: C invoices are the negative lines with a price', set(d.id[(d.inv.str[0] == 'C')]) == set(d.id[(d.q < 0) & (d.mp > 0)]), (d.inv.str[0] == 'C').sum())
rev = d.kind.isin(['sale', 'without_customer', 'cancellation'])
check('lines: flags', (lines.counts_for_revenue.sum() == rev.sum()) and (lines.counts_for_customers.sum() == ((d.kind.isin(['sale', 'cancellation'])) & (d.cust != '')).sum())
      and lines.net_value.sum() == d.v[rev].sum())

# ---- cancellations: the exact greedy rule, one after the other in time ---------------------------------------------
c = table('cancellations').set_index('line_id')
by_key = collections.defaultdict(list)
keep = lines[lines.kind == 'sale'].sort_values(['ordered_at', 'line_id'])
for t in keep.itertuples(): by_key[t.customer_id, t.sku].append([t.ordered_at, t.line_id, t.quantity])
greedy = {}
for t in lines[lines.kind == 'cancellation'].sort_values(['ordered_at', 'line_id']).itertuples():
    for s in reversed(by_key.get((t.customer_id, t.sku), [])):
        if s[0] < t.ordered_at and s[2] >= -t.quantity:
            s[2] += t.quantity; greedy[t.line_id] = s[1]; break
matched = c[c.is_matched]
sales = keep.set_index('line_id')
s = sales.loc[matched.sale_line_id]
used = matched.groupby('sale_line_id').quantity.sum()
check('cancellations: valid (same customer, sku, earlier, enough, never beyond the quantity)',
      (s.customer_id.values == matched.customer_id.values).all() and (s.sku.values == matched.sku.values).all()
      and (s.ordered_at.values < matched.cancelled_at.values).all() and (s.quantity.values >= matched.quantity.values).all()
      and (used <= sales.loc[used.index].quantity).all() and c.index.is_unique and len(c) == (d.kind == 'cancellation').sum())
same = sum(greedy.get(i) == v for i, v in matched.sale_line_id.items())
check('cancellations: beside the strictly sequential rule', len(matched) >= len(greedy) - 5,
      f'matched {len(matched)}, sequential {len(greedy)}, same sale {same}, only here {len(set(matched.index) - set(greedy))}, only there {len(set(greedy) - set(matched.index))}')
price_differs = (s.unit_price.values.round(4) != (lines.set_index('line_id').loc[matched.index].unit_price.values).round(4))
print('      matched at another price than the sale:', price_differs.sum())
un = c[~c.is_matched]
print('      unmatched:', len(un), 'without customer', un.customer_id.isna().sum(),
      'never bought that article before', sum((t.customer_id, t.sku) not in by_key or by_key[t.customer_id, t.sku][0][0] >= t.cancelled_at for t in un.dropna(subset=['customer_id']).itertuples()))

# ---- cleaning -----------------------------------------------------------------------------------------------------
cl = table('cleaning').set_index('rule')
rules = cl.drop('total')
check('cleaning: books balance', all(rules[k].sum() == cl.loc['total', k] for k in ['order_lines', 'quantity', 'value', 'revenue', 'customer_lines'])
      and cl.loc['total', 'value'] == d.v.sum() and cl.loc['total', 'order_lines'] == len(d) and cl.loc['total', 'quantity'] == d.q.sum())
g = d.groupby('kind').agg(n=('v', 'size'), q=('q', 'sum'), v=('v', 'sum'))
check('cleaning: every rule', all(tuple(cl.loc[k, ['order_lines', 'quantity', 'value']]) == tuple(g.loc[k]) for k in g.index if k != 'cancellation')
      and tuple(cl.loc[['cancellation_matched', 'cancellation_unmatched'], ['order_lines', 'quantity', 'value']].sum()) == tuple(g.loc['cancellation']))

# ---- revenue ------------------------------------------------------------------------------------------------------
r = table('revenue')
x = d[rev].copy()
for grain, freq in [('day', 'D'), ('week', 'W-SUN'), ('month', 'M')]:
    x['p'] = x['at'].dt.to_period(freq).dt.start_time.dt.date
    for who in ['one', 'all']:
        y = x if who == 'one' else x.assign(country='all')
        got = r[(r.grain == grain) & ((r.country == 'all') == (who == 'all'))].set_index(['starts_on', 'country'])
        k = ['p', 'country']
        sold, back = y[y.q > 0], y[y.q < 0]
        want = pd.DataFrame(dict(gross=sold.groupby(k).v.sum(), orders=sold.groupby(k).inv.nunique(), items=sold.groupby(k).q.sum(),
                                 buyers=sold[sold.cust != ''].groupby(k).cust.nunique()))
        want = want.reindex(y.groupby(k).size().index).fillna(0)
        want['refunds'] = (-back.groupby(k).v.sum()).reindex(want.index).fillna(0)
        got = got.reindex(want.index)
        ok = len(got) == len(want) == ((r.grain == grain) & ((r.country == 'all') == (who == 'all'))).sum()
        check(f'revenue by {grain}, {who}', ok and all((got[col].astype(float) == want[col].astype(float)).all() for col in ['gross', 'refunds', 'orders', 'items', 'buyers'])
              and (got.net == got.gross - got.refunds).all(), f'{len(want)} rows')
m = r[(r.grain == 'month') & (r.country == 'all')]
check('revenue: months add to the books', m.net.sum() == d.v[rev].sum())
check('revenue: partial', list(m.is_partial) == [False] * 12 + [True])

# ---- revenue_change -----------------------------------------------------------------------------------------------
rc = table('revenue_change')
parts = ['by_customers', 'by_frequency', 'by_basket', 'by_price', 'by_unattributed', 'by_refunds']
check('revenue_change: six parts add up exactly', (rc[parts].sum(axis=1) == rc.change).all() and (rc.change == rc.net_now - rc.net_before).all(), f'{len(rc)} rows')
look = {(t.grain, t.country, t.starts_on): t for t in r.itertuples()}
worst, edges = 0.0, 0
for t in rc.itertuples():
    start = pd.Timestamp(t.starts_on)
    before = (start - (pd.Timedelta('7D') if t.grain == 'week' else pd.DateOffset(months=1))).date()
    a, b = look.get((t.grain, t.country, before)), look.get((t.grain, t.country, t.starts_on))
    va, vb = (a.customer_gross if a else 0), (b.customer_gross if b else 0)
    if va == 0 or vb == 0:
        edges += 1
        want = [vb - va, 0, 0, 0]
    else:
        fa = [a.buyers, a.customer_orders / a.buyers, a.customer_items / a.customer_orders, va / a.customer_items]
        fb = [b.buyers, b.customer_orders / b.buyers, b.customer_items / b.customer_orders, vb / b.customer_items]
        weight = va if va == vb else (vb - va) / (math.log(vb) - math.log(va))
        want = [weight * math.log(q / p) for p, q in zip(fa, fb)]
    worst = max(worst, max(abs(w - getattr(t, n)) for w, n in zip(want, parts)))
    net = (b.net if b else 0) - (a.net if a else 0)
    assert net == t.change, (t, net)
check('revenue_change: LMDI by logs', worst < 3, f'worst {worst / 1e4:.6f} pounds; {edges} rows from or to nothing')

# ---- purchases, rfm -----------------------------------------------------------------------------------------------
net = collections.Counter()
for t in d[d.kind == 'sale'].itertuples(): net[t.cust, t.at.date(), t.inv] += t.v
for t in matched.itertuples(): net[t.customer_id, t.sold_at.date(), t.sale_invoice_id] -= t.refund
days = collections.defaultdict(lambda: [0, 0])
for (cust, day, inv), v in net.items():
    if v > 0: days[cust, day][0] += 1; days[cust, day][1] += v
p = table('purchases')
check('purchases', {(t.customer_id, t.purchased_on): [t.orders, t.value] for t in p.itertuples()} == dict(days), f'{len(p)} days of {p.customer_id.nunique()} customers')
check('purchases: one row a customer and day, above 0', not p.duplicated(['customer_id', 'purchased_on']).any() and (p.value > 0).all())
cu = collections.defaultdict(lambda: [None, 0, 0])
for (cust, day), (n, v) in days.items():
    e = cu[cust]; e[0] = max(e[0] or day, day); e[1] += n; e[2] += v
last = d['at'].max().date() + pd.Timedelta('1D')


def scores(values):
    """1 + whole fifths of all that are strictly worse"""
    values = list(values); order = sorted(values); n = len(values)
    import bisect
    return [1 + (5 * bisect.bisect_left(order, v)) // n for v in values]


names = list(cu); day0 = pd.Timestamp('2000-01-01').date()
R = scores((cu[k][0] - day0).days for k in names); F = scores(cu[k][1] for k in names); M = scores(cu[k][2] for k in names)
seg = table('rfm_segments').set_index('cell')
check('rfm_segments: 125 cells, each once, eleven names', len(seg) == 125 and seg.index.is_unique and seg.segment.nunique() == 11
      and set(seg.index) == {f'{a}{b}{e}' for a in range(1, 6) for b in range(1, 6) for e in range(1, 6)})
grid = ['Lost Lost At_risk At_risk Cannot_lose_them', 'Hibernating Hibernating At_risk At_risk Cannot_lose_them', 'About_to_sleep About_to_sleep Need_attention Loyal Loyal',
        'Promising Potential_loyalist Potential_loyalist Loyal Loyal', 'New_customers Potential_loyalist Potential_loyalist Champions Champions']
grid = [[w.replace('_', ' ') for w in row.split()] for row in grid]
def segment(a, b, e): return grid[a - 1][math.ceil((b + e) / 2) - 1]
check('rfm_segments: the square', all(segment(*map(int, cell)) == s for cell, s in seg.segment.items()))
f = table('rfm').set_index('customer_id')
want = {k: (int((last - cu[k][0]).days), cu[k][1], cu[k][2], a, b, e, f'{a}{b}{e}', segment(a, b, e)) for k, a, b, e in zip(names, R, F, M)}
got = {t.Index: (t.recency_days, t.frequency, t.monetary, t.r_score, t.f_score, t.m_score, t.cell, t.segment) for t in f.itertuples()}
check('rfm: every customer, score, cell and segment', want == got, f'{len(f)} customers')
check('rfm: equal values, equal scores', all((f.groupby(a)[b].nunique() == 1).all() for a, b in [('recency_days', 'r_score'), ('frequency', 'f_score'), ('monetary', 'm_score')]))

# ---- segment months, migration, forecast --------------------------------------------------------------------------
sm = table('segment_months')
months = sorted({day.replace(day=1) for _, day in days})
state = {}
for month in months:
    so = collections.defaultdict(lambda: [day0, 0, 0])
    for (cust, day), (n, v) in days.items():
        if day.replace(day=1) <= month: e = so[cust]; e[0] = max(e[0], day); e[1] += n; e[2] += v
    k = list(so)
    a, b, e = (scores(vals) for vals in [((so[c][0] - day0).days for c in k), (so[c][1] for c in k), (so[c][2] for c in k)])
    state[month] = {c: segment(x1, x2, x3) for c, x1, x2, x3 in zip(k, a, b, e)}
check('segment_months', {(t.customer_id, t.month): t.segment for t in sm.itertuples()} == {(c, mo): s for mo in months for c, s in state[mo].items()}, f'{len(sm)} rows')
lastm = sm[sm.month == sm.month.max()].set_index('customer_id')
check('segment_months: the last is rfm', (lastm.segment.sort_index() == f.segment.sort_index()).all())
check('segment_months: complete', set(sm[sm.is_complete].month) == set(months[:-1]))
full = months[:-1]
moves = {mo: collections.Counter((state[pr].get(c, 'none'), s) for c, s in state[mo].items()) for pr, mo in zip(full, full[1:])}
mg = table('segment_migration')
check('segment_migration', {(t.month, t.from_segment, t.to_segment): t.customers for t in mg.itertuples()} == {(mo, *k): v for mo, cc in moves.items() for k, v in cc.items()}, f'{len(mg)} rows')
check('segment_migration: shares add to 1', (abs(mg.groupby(['month', 'from_segment']).share.sum() - 1) < 1e-12).all())
S = sorted(seg.segment.unique()); ix = {s: i for i, s in enumerate(S)}
def sizes(mo): return np.array([sum(v == s for v in state[mo].values()) for s in S], float)
def forecast(i, h):      # i: index in full of the origin
    P, new = np.zeros((11, 11)), np.zeros(11)
    for mo in full[i - 5:i + 1]:
        for (a, b), n in moves[mo].items():
            if a == 'none': new[ix[b]] += n / 6
            else: P[ix[a], ix[b]] += n
    P = P / P.sum(1, keepdims=True)
    v = sizes(full[i])
    for _ in range(h): v = v @ P + new
    return v
sf = table('segment_forecast')
for h in (1, 2, 3):
    got = sf[sf.months_ahead == h].set_index('segment').loc[S]
    origins = [i for i in range(6, len(full)) if i + h < len(full)]
    fe = np.mean([abs(forecast(i, h) - sizes(full[i + h])) for i in origins], axis=0)
    ne = np.mean([abs(sizes(full[i]) - sizes(full[i + h])) for i in origins], axis=0)
    check(f'segment_forecast {h}', np.allclose(got.forecast, forecast(len(full) - 1, h)) and np.allclose(got.forecast_error, fe) and np.allclose(got.naive_error, ne)
          and (got.months_tested == len(origins)).all() and np.allclose(got.naive, sizes(full[-1])), f'error of all segments together: {fe.sum():.0f} by moves, {ne.sum():.0f} naive, of {sizes(full[-1]).sum():.0f} customers, {len(origins)} months')

# ---- cohorts ------------------------------------------------------------------------------------------------------
first = {}
for (cust, day) in days: first[cust] = min(first.get(cust, day), day)
act, money = collections.defaultdict(set), collections.Counter()
for (cust, day), (n, v) in days.items():
    co = first[cust].replace(day=1); age = (day.year - co.year) * 12 + day.month - co.month
    act[co, age].add(cust); money[co, age] += v
co = table('cohorts')
want = {(a, i): (len(act[a, 0]), len(act[a, i]), money[a, i], i + months.index(a) == len(months) - 1) for a in months for i in range(len(months) - months.index(a))}
check('cohorts: whole triangle', {(t.cohort, t.age_months): (t.customers, t.retained, t.revenue, t.is_immature) for t in co.itertuples()} == want, f'{len(co)} cells')
check('cohorts: revenue is what purchases say', co.revenue.sum() == p.value.sum() == f.monetary.sum())

# ---- baskets, prices ----------------------------------------------------------------------------------------------
baskets = collections.defaultdict(set)
for t in d[d.kind.isin(['sale', 'without_customer'])].itertuples(): baskets[t.inv].add(t.sku)
b = table('baskets')
kept = {(i, s) for i, v in baskets.items() if 2 <= len(v) <= 100 for s in v}
big = [len(v) for v in baskets.values() if len(v) > 100]
check('baskets', set(zip(b.invoice_id, b.sku)) == kept and len(b) == len(kept), f'{b.invoice_id.nunique()} invoices; {sum(len(v) == 1 for v in baskets.values())} of one article, {len(big)} of more than 100, largest {max(big)}')
sp = d[d.kind == 'sale'].assign(month=lambda x: x['at'].dt.to_period('M'))
u = sp.groupby(['month', 'sku']).agg(q=('q', 'sum'), med=('mp', 'median'))
idx, want = [1.0, 1.0], []
ms = sorted(sp.month.unique())
for i, mo in enumerate(ms):
    if i:
        j = u.loc[ms[i - 1]].add_suffix('0').join(u.loc[mo].add_suffix('1'), how='inner')
        idx = [idx[0] * (j.med1 * j.q0).sum() / (j.med0 * j.q0).sum(), idx[1] * (j.med1 * j.q1).sum() / (j.med0 * j.q1).sum()]
    want.append([100 * idx[0], 100 * idx[1], 100 * math.sqrt(idx[0] * idx[1])])
pi = table('price_index')
check('price_index', np.allclose(pi[['laspeyres', 'paasche', 'fisher']], want), f'fisher at the end {want[-1][2]:.2f}, last complete month {want[-2][2]:.2f}')
print(sum(checks), 'of', len(checks), 'hold')
sys.exit(not all(checks))
