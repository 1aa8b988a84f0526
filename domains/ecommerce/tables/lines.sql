-- Every order line with exactly one kind: the first rule below that holds. Codes that are no goods come before
-- cancellations, so that a cancelled fee is a fee and no return. Lines without a customer count for revenue alone, as do
-- cancellations whose sale is not found (`cancellations`). Money is decimal: exact in whatever order it is added.
WITH repeated AS (
    SELECT invoice_id, sku FROM order_lines GROUP BY invoice_id, sku HAVING count(*) > 1
),

numbered AS (
    SELECT
        order_lines.line_id,
        row_number() OVER (
            PARTITION BY
                order_lines.invoice_id, order_lines.sku, description, quantity, ordered_at, unit_price, customer_id, country
            ORDER BY line_id
        ) AS copy
    FROM repeated
    INNER JOIN order_lines ON order_lines.invoice_id = repeated.invoice_id AND order_lines.sku = repeated.sku
),

duplicates AS (
    SELECT line_id FROM numbered WHERE copy > 1
),

told AS (
    SELECT
        order_lines.line_id, invoice_id, sku, description, quantity, ordered_at, unit_price, customer_id,
        coalesce(country, 'unknown') AS country,
        CAST(quantity * unit_price AS DECIMAL(18, 4)) AS value,
        CASE
            -- Equal in every column to another line: scanned or exported twice.
            WHEN duplicates.line_id IS NOT NULL THEN 'duplicate'
            WHEN unit_price < 0 OR sku = 'B' THEN 'bad_debt'
            -- Postage, carriage, and what banks, market places and charities take.
            WHEN sku IN ('POST', 'DOT', 'C2', 'AMAZONFEE', 'BANK CHARGES', 'CRUK') THEN 'fee'
            -- Manual, discount, samples, tests.
            WHEN sku IN ('M', 'D', 'S') OR sku LIKE 'TEST%' OR sku LIKE 'ADJUST%' THEN 'adjustment'
            WHEN quantity < 0 AND unit_price > 0 THEN 'cancellation'
            WHEN quantity < 0 THEN 'write_off'
            WHEN unit_price = 0 OR quantity = 0 THEN 'zero_price'
            WHEN customer_id IS NULL THEN 'without_customer'
            ELSE 'sale'
        END AS kind
    -- The engine keeps the left side of a join in memory: the few, not the many.
    FROM duplicates
    RIGHT JOIN order_lines ON order_lines.line_id = duplicates.line_id
)

SELECT
    line_id, invoice_id, sku, description, quantity, ordered_at, unit_price, customer_id, country, kind, value,
    kind IN ('sale', 'without_customer', 'cancellation') AS counts_for_revenue,
    kind IN ('sale', 'cancellation') AND customer_id IS NOT NULL AS counts_for_customers,
    CASE WHEN kind IN ('sale', 'without_customer', 'cancellation') THEN value ELSE CAST(0 AS DECIMAL(18, 4)) END AS net_value
FROM told
