-- What was bought together: the articles of each invoice, each once, for association rules. Invoices of one article say
-- nothing; those of more than a hundred, one of thirty in UCI's shop, would bring three quarters of all pairs. What was taken
-- back later was put into the basket all the same, and stays.
WITH bought AS (
    SELECT DISTINCT invoice_id, sku FROM lines WHERE kind IN ('sale', 'without_customer')
),

sized AS (
    SELECT invoice_id, sku, count(*) OVER (PARTITION BY invoice_id) AS articles FROM bought
)

SELECT invoice_id, sku
FROM sized
WHERE articles BETWEEN 2 AND 100
ORDER BY invoice_id, sku
