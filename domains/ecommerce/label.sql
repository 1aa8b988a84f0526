-- What a customer did after the moment: days with an order that stands, and what was spent on them.
WITH orders AS (
    SELECT customer_id, as_of, until, date_trunc('day', min(at)) AS day, sum(value) AS value
    FROM purchase_events
    GROUP BY customer_id, as_of, until, coalesce(order_id, CAST(at AS VARCHAR))
),

days AS (
    SELECT customer_id, as_of, until, day, sum(CASE WHEN value > 0 THEN value ELSE 0 END) AS value
    FROM orders
    GROUP BY customer_id, as_of, until, day
)

SELECT
    count(*) FILTER (WHERE value > 0 AND day > as_of AND day <= until) AS purchases,
    coalesce(sum(value) FILTER (WHERE value > 0 AND day > as_of AND day <= until), 0) AS spent
FROM days
GROUP BY customer_id
