-- Why net revenue changed from one week or month to the next. What known customers spent is customers x orders by customer x
-- items by order x price of an item; the log-mean Divisia index (LMDI I; Ang 2005) parts its change among the four without
-- rest. From nothing or to nothing there are no such ratios: then all of it is `by_customers`. Two parts stand beside them,
-- sales without a customer and refunds. The six add up to `change` exactly: `by_price` takes what rounding leaves.
WITH pairs AS (
    SELECT
        grain, country, starts_on, 1 AS now, net, refunds, gross - customer_gross AS unattributed, customer_gross AS spent,
        buyers, customer_orders AS orders, customer_items AS items, is_partial
    FROM revenue
    WHERE grain IN ('week', 'month')
    UNION ALL
    SELECT
        grain, country,
        CAST(CASE grain WHEN 'week' THEN starts_on + INTERVAL '7 days' ELSE starts_on + INTERVAL '1 month' END AS DATE),
        0, net, refunds, gross - customer_gross, customer_gross, buyers, customer_orders, customer_items, is_partial
    FROM revenue
    WHERE grain IN ('week', 'month')
),

-- A place that sold nothing in one of the two periods has a row of one of the two only.
compared AS (
    SELECT
        grain, country, starts_on,
        sum(CASE WHEN now = 0 THEN net ELSE 0 END) AS net_before,
        sum(CASE WHEN now = 1 THEN net ELSE 0 END) AS net_now,
        sum(CASE WHEN now = 1 THEN spent ELSE -spent END) AS spent_change,
        sum(CASE WHEN now = 1 THEN unattributed ELSE -unattributed END) AS by_unattributed,
        sum(CASE WHEN now = 1 THEN -refunds ELSE refunds END) AS by_refunds,
        CAST(sum(CASE WHEN now = 0 THEN spent ELSE 0 END) AS DOUBLE PRECISION) AS spent_before,
        CAST(sum(CASE WHEN now = 1 THEN spent ELSE 0 END) AS DOUBLE PRECISION) AS spent_now,
        CAST(sum(CASE WHEN now = 0 THEN buyers ELSE 0 END) AS DOUBLE PRECISION) AS buyers_before,
        CAST(sum(CASE WHEN now = 1 THEN buyers ELSE 0 END) AS DOUBLE PRECISION) AS buyers_now,
        CAST(sum(CASE WHEN now = 0 THEN orders ELSE 0 END) AS DOUBLE PRECISION) AS orders_before,
        CAST(sum(CASE WHEN now = 1 THEN orders ELSE 0 END) AS DOUBLE PRECISION) AS orders_now,
        CAST(sum(CASE WHEN now = 0 THEN items ELSE 0 END) AS DOUBLE PRECISION) AS items_before,
        CAST(sum(CASE WHEN now = 1 THEN items ELSE 0 END) AS DOUBLE PRECISION) AS items_now,
        max(CASE WHEN is_partial THEN 1 ELSE 0 END) = 1 AS is_partial
    FROM pairs
    GROUP BY grain, country, starts_on
),

-- The log mean of both revenues; null where either is nothing. The ratio of equal revenues would be 0 / 0: their mean is they.
weighed AS (
    SELECT
        *,
        CASE
            WHEN spent_before <= 0 OR spent_now <= 0 THEN NULL
            WHEN spent_before = spent_now THEN spent_now
            ELSE (spent_now - spent_before) / ln(spent_now / spent_before)
        END AS log_mean
    FROM compared
),

parted AS (
    SELECT
        *,
        CASE
            WHEN log_mean IS NULL THEN spent_change
            ELSE CAST(log_mean * ln(buyers_now / buyers_before) AS DECIMAL(18, 4))
        END AS by_customers,
        CASE
            WHEN log_mean IS NULL THEN CAST(0 AS DECIMAL(18, 4))
            ELSE CAST(log_mean * ln((orders_now / buyers_now) / (orders_before / buyers_before)) AS DECIMAL(18, 4))
        END AS by_frequency,
        CASE
            WHEN log_mean IS NULL THEN CAST(0 AS DECIMAL(18, 4))
            ELSE CAST(log_mean * ln((items_now / orders_now) / (items_before / orders_before)) AS DECIMAL(18, 4))
        END AS by_basket
    FROM weighed
)

SELECT
    grain, country, starts_on, net_before, net_now,
    net_now - net_before AS change,
    by_customers, by_frequency, by_basket,
    spent_change - by_customers - by_frequency - by_basket AS by_price,
    by_unattributed, by_refunds, is_partial
FROM parted
WHERE starts_on > (SELECT min(first.starts_on) FROM revenue AS first WHERE first.grain = parted.grain)
    AND starts_on <= (SELECT max(last.starts_on) FROM revenue AS last WHERE last.grain = parted.grain)
ORDER BY grain, country, starts_on
