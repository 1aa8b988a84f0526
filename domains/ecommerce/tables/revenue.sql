-- Revenue by day, week (from Monday) and month, by country and for all of them. Refunds stand in the period in which they
-- were given, not in that of the sale. An invoice written on two days is an order on each. Periods that the data cover only
-- in part say so.
WITH places AS (
    SELECT country, invoice_id, customer_id, ordered_on, gross, refunds, items FROM orders
    UNION ALL
    SELECT 'all' AS country, invoice_id, customer_id, ordered_on, gross, refunds, items FROM orders
),

periods AS (
    SELECT 'day' AS grain, ordered_on AS starts_on, * FROM places
    UNION ALL
    SELECT 'week' AS grain, CAST(date_trunc('week', ordered_on) AS DATE) AS starts_on, * FROM places
    UNION ALL
    SELECT 'month' AS grain, CAST(date_trunc('month', ordered_on) AS DATE) AS starts_on, * FROM places
),

-- Customers first, so that each is counted once. Null stands for all lines without one.
customers AS (
    SELECT
        grain, starts_on, country, customer_id,
        sum(gross) AS gross, sum(refunds) AS refunds, sum(items) AS items, count(*) FILTER (WHERE gross > 0) AS orders
    FROM periods
    GROUP BY grain, starts_on, country, customer_id
),

sums AS (
    SELECT
        grain, starts_on, country,
        sum(gross) AS gross,
        sum(refunds) AS refunds,
        sum(gross) - sum(refunds) AS net,
        CAST(sum(orders) AS BIGINT) AS orders,
        count(customer_id) FILTER (WHERE orders > 0) AS buyers,
        CAST(sum(items) AS BIGINT) AS items,
        -- Of known customers alone, for `revenue_change`.
        coalesce(sum(gross) FILTER (WHERE customer_id IS NOT NULL), 0) AS customer_gross,
        CAST(coalesce(sum(orders) FILTER (WHERE customer_id IS NOT NULL), 0) AS BIGINT) AS customer_orders,
        CAST(coalesce(sum(items) FILTER (WHERE customer_id IS NOT NULL), 0) AS BIGINT) AS customer_items
    FROM customers
    GROUP BY grain, starts_on, country
),

known AS (
    SELECT CAST(min(ordered_at) AS DATE) AS first_on, CAST(max(ordered_at) AS DATE) AS last_on FROM lines
)

SELECT
    grain, starts_on, country, gross, refunds, net, orders, buyers, items,
    CAST(gross AS DOUBLE PRECISION) / nullif(orders, 0) AS average_order_value,
    CAST(refunds AS DOUBLE PRECISION) / nullif(CAST(gross AS DOUBLE PRECISION), 0) AS refund_share,
    customer_gross, customer_orders, customer_items,
    CASE grain
        WHEN 'week' THEN starts_on < first_on OR starts_on + INTERVAL '6 days' > last_on
        WHEN 'month' THEN starts_on < first_on OR starts_on + INTERVAL '1 month' > last_on + INTERVAL '1 day'
        ELSE FALSE
    END AS is_partial
FROM known CROSS JOIN sums
ORDER BY grain, country, starts_on
