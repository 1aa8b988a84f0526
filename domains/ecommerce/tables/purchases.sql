-- The days on which each customer bought, the value less what was given back for that very purchase, whenever that was.
-- An invoice taken back as a whole is no purchase. Models of buying count these days (BG/NBD: Fader, Hardie & Lee 2005).
WITH invoices AS (
    SELECT customer_id, ordered_on AS purchased_on, invoice_id, gross AS value
    FROM orders
    WHERE customer_id IS NOT NULL AND gross > 0
    UNION ALL
    SELECT customer_id, CAST(sold_at AS DATE), sale_invoice_id, -refund
    FROM cancellations
    WHERE is_matched
),

kept AS (
    SELECT customer_id, purchased_on, invoice_id, sum(value) AS value
    FROM invoices
    GROUP BY customer_id, purchased_on, invoice_id
    HAVING sum(value) > 0
)

SELECT customer_id, purchased_on, count(*) AS orders, sum(value) AS value
FROM kept
GROUP BY customer_id, purchased_on
ORDER BY customer_id, purchased_on
