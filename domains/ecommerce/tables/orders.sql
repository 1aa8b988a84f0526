-- Invoices by day, from the lines that count for revenue: what was sold, and what was given back on that day for whatever
-- sale. The tables below read this one, which has a twentieth of the lines.
SELECT
    invoice_id,
    customer_id,
    country,
    CAST(ordered_at AS DATE) AS ordered_on,
    coalesce(sum(value) FILTER (WHERE quantity > 0), 0) AS gross,
    coalesce(-sum(value) FILTER (WHERE quantity < 0), 0) AS refunds,
    CAST(coalesce(sum(quantity) FILTER (WHERE quantity > 0), 0) AS BIGINT) AS items
FROM lines
WHERE counts_for_revenue
GROUP BY invoice_id, customer_id, country, CAST(ordered_at AS DATE)
ORDER BY ordered_on, invoice_id, customer_id, country
