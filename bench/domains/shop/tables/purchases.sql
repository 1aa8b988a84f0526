-- One row a customer and day. An invoice whose lines lie on two days counts on the first: once.
WITH invoices AS (
    SELECT customer_id, invoice_id, min(ordered_at) AS ordered_at, sum(value) AS value
    FROM clean
    WHERE kind = 'sale'
    GROUP BY customer_id, invoice_id
)

SELECT customer_id, CAST(ordered_at AS DATE) AS purchased_on, count(*) AS orders, sum(value) AS value
FROM invoices
GROUP BY customer_id, CAST(ordered_at AS DATE)
ORDER BY customer_id, purchased_on
