-- What each rule of cleaning takes out and what is left add up to the raw lines: in lines, in pieces and in money.
WITH parts AS (
    SELECT sum(order_lines) AS order_lines, sum(quantity) AS quantity, sum(value) AS value
    FROM cleaning
    WHERE rule <> 'total'
)

SELECT
    parts.order_lines, cleaning.order_lines AS raw_lines,
    parts.quantity, cleaning.quantity AS raw_quantity,
    parts.value, cleaning.value AS raw_value
FROM parts CROSS JOIN cleaning
WHERE cleaning.rule = 'total' AND (
    parts.order_lines <> cleaning.order_lines OR parts.quantity <> cleaning.quantity OR parts.value <> cleaning.value
)
