-- What each customer bought and gave back, a row for each, at the time it was known: what was given back stands under the
-- invoice that it was bought with. Whoever asks what was known at a time sums the rows until then, and sees no later refund.
SELECT customer_id, ordered_at AS at, invoice_id AS order_id, sum(value) AS value
FROM lines
WHERE kind = 'sale'
GROUP BY customer_id, ordered_at, invoice_id
UNION ALL
SELECT customer_id, cancelled_at AS at, sale_invoice_id AS order_id, -sum(refund) AS value
FROM cancellations
WHERE is_matched
GROUP BY customer_id, cancelled_at, sale_invoice_id
ORDER BY customer_id, at, order_id
