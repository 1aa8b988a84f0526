-- What models of buying see of a customer: days with a purchase count from midnight to midnight, UTC. The first purchase is no
-- repeat, and its money is left out too (Fader & Hardie). An order that was given back as a whole by then is none.
WITH orders AS (
    SELECT customer_id, as_of, date_trunc('day', min(at)) AS day, sum(value) AS value
    FROM purchase_events
    GROUP BY customer_id, as_of, coalesce(order_id, CAST(at AS VARCHAR))
    HAVING sum(value) > 0
),

days AS (
    SELECT customer_id, as_of, day, sum(value) AS value
    FROM orders
    GROUP BY customer_id, as_of, day
),

numbered AS (
    SELECT customer_id, as_of, day, value, min(day) OVER (PARTITION BY customer_id ORDER BY day) AS first_day
    FROM days
)

SELECT
    CAST(count(*) - 1 AS DOUBLE PRECISION) AS repeat_purchases,
    (date_part('epoch', max(day)) - date_part('epoch', min(day))) / 86400 AS recency_days,
    (date_part('epoch', date_trunc('day', as_of)) - date_part('epoch', min(day))) / 86400 AS age_days,
    sum(value) FILTER (WHERE day > first_day) / nullif(count(*) - 1, 0) AS spend_mean
FROM numbered
GROUP BY customer_id, as_of
