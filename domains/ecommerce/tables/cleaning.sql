-- What cleaning takes away and what it leaves, rule by rule in their order, and the total of the raw lines, to which the
-- rules add up exactly. Cancellations are told by whether the sale that they take back was found.
WITH told AS (
    SELECT
        CASE kind
            WHEN 'duplicate' THEN 1 WHEN 'bad_debt' THEN 2 WHEN 'fee' THEN 3 WHEN 'adjustment' THEN 4 WHEN 'cancellation' THEN 5
            WHEN 'write_off' THEN 7 WHEN 'zero_price' THEN 8 WHEN 'without_customer' THEN 9 WHEN 'sale' THEN 10
        END AS rule_number,
        kind AS rule,
        count(*) AS order_lines, CAST(sum(quantity) AS BIGINT) AS quantity, sum(value) AS value, sum(net_value) AS revenue,
        count(*) FILTER (WHERE counts_for_customers) AS customer_lines
    FROM lines
    GROUP BY kind
),

matched AS (
    SELECT count(*) AS order_lines, CAST(coalesce(sum(quantity), 0) AS BIGINT) AS quantity, coalesce(sum(refund), 0) AS refund
    FROM cancellations
    WHERE is_matched
),

rules AS (
    SELECT
        rule_number + 1 AS rule_number,
        'cancellation_unmatched' AS rule,
        told.order_lines - matched.order_lines AS order_lines,
        told.quantity + matched.quantity AS quantity,
        told.value + matched.refund AS value,
        told.revenue + matched.refund AS revenue,
        0 AS customer_lines
    FROM told CROSS JOIN matched WHERE told.rule = 'cancellation'
    UNION ALL
    SELECT
        told.rule_number, 'cancellation_matched', matched.order_lines, -matched.quantity, -matched.refund, -matched.refund,
        0 + matched.order_lines
    FROM told CROSS JOIN matched WHERE told.rule = 'cancellation'
    UNION ALL
    SELECT rule_number, rule, order_lines, quantity, value, revenue, customer_lines FROM told WHERE rule <> 'cancellation'
    UNION ALL
    SELECT 11, 'total', count(*), CAST(sum(quantity) AS BIGINT), sum(CAST(quantity * unit_price AS DECIMAL(18, 4))), NULL, NULL
    FROM order_lines
)

SELECT
    rule_number, rule, order_lines, quantity, value,
    coalesce(revenue, sum(revenue) OVER ()) AS revenue,
    CAST(coalesce(customer_lines, sum(customer_lines) OVER ()) AS BIGINT) AS customer_lines
FROM rules
ORDER BY rule_number
