SELECT CAST(count(*) AS DOUBLE PRECISION) AS days
FROM purchases
GROUP BY customer_id, as_of
