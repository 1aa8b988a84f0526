-- Every order line with exactly one kind: the first rule below that holds, as in domains/ecommerce/tables/lines.sql.
-- Money is decimal: exact in whatever order it is added.
WITH repeated AS (
    SELECT invoice_id, sku FROM order_lines GROUP BY invoice_id, sku HAVING count(*) > 1
),

-- Equal lines share a rank, and only the first of them stands on it. Sorting all once is faster than a window for each.
ranked AS (
    SELECT
        order_lines.line_id,
        rank() OVER (
            ORDER BY order_lines.invoice_id, order_lines.sku, description, quantity, ordered_at, unit_price, customer_id, country
        ) AS first_place,
        row_number() OVER (
            ORDER BY
                order_lines.invoice_id, order_lines.sku, description, quantity, ordered_at, unit_price, customer_id, country,
                order_lines.line_id
        ) AS place
    FROM repeated
    INNER JOIN order_lines ON order_lines.invoice_id = repeated.invoice_id AND order_lines.sku = repeated.sku
),

duplicates AS (
    SELECT line_id FROM ranked WHERE place > first_place
)

SELECT
    order_lines.line_id, invoice_id, sku, description, quantity, ordered_at, unit_price, customer_id, country,
    CASE
        WHEN duplicates.line_id IS NOT NULL THEN 'duplicate'
        WHEN unit_price < 0 OR sku = 'B' THEN 'bad_debt'
        WHEN sku IN ('POST', 'DOT', 'C2', 'AMAZONFEE', 'BANK CHARGES', 'CRUK') THEN 'fee'
        WHEN sku IN ('M', 'D', 'S') OR sku LIKE 'TEST%' OR sku LIKE 'ADJUST%' THEN 'adjustment'
        WHEN quantity < 0 AND unit_price > 0 THEN 'cancellation'
        WHEN quantity < 0 THEN 'write_off'
        WHEN unit_price = 0 OR quantity = 0 THEN 'zero_price'
        WHEN customer_id IS NULL THEN 'without_customer'
        ELSE 'sale'
    END AS kind,
    CAST(quantity * unit_price AS DECIMAL(18, 4)) AS value
-- The engine keeps the left side of a join in memory: the few, not the many.
FROM duplicates
RIGHT JOIN order_lines ON order_lines.line_id = duplicates.line_id
