-- The days on which each customer bought, the value less what was given back for that very purchase until today. An invoice
-- taken back as a whole is no purchase. Tables of today read this one; models read `purchase_events`, which knows since when.
WITH kept AS (
    SELECT customer_id, order_id, CAST(min(at) AS DATE) AS purchased_on, sum(value) AS value
    FROM purchase_events
    GROUP BY customer_id, order_id
    HAVING sum(value) > 0
)

SELECT customer_id, purchased_on, count(*) AS orders, sum(value) AS value
FROM kept
GROUP BY customer_id, purchased_on
ORDER BY customer_id, purchased_on
