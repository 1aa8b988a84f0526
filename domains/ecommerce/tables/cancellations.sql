-- Which sale each cancellation takes back: of the same customer and article, the latest one before it that sold as many or
-- more. No sale is cancelled beyond its quantity: of several cancellations the earlier goes first, and one that comes too
-- late looks once more among what the sales have left by then. The others have no sale: it lies before the data, or is split.
-- No row depends on a later one: what was matched at a time stays matched, and what was not is not matched afterwards.
WITH candidates AS (
    SELECT
        refunds.line_id, refunds.customer_id, refunds.sku, refunds.ordered_at AS cancelled_at,
        -refunds.quantity AS quantity, -refunds.value AS refund,
        sales.line_id AS sale_line_id, sales.invoice_id AS sale_invoice_id, sales.ordered_at AS sold_at, sales.quantity AS sold,
        CASE WHEN row_number() OVER (
            PARTITION BY refunds.line_id ORDER BY sales.ordered_at DESC, sales.line_id DESC
        ) = 1 THEN -refunds.quantity ELSE 0 END AS claim
    FROM (SELECT * FROM lines WHERE kind = 'cancellation') AS refunds
    LEFT JOIN (SELECT * FROM lines WHERE kind = 'sale') AS sales
        ON sales.customer_id = refunds.customer_id AND sales.sku = refunds.sku
        AND sales.ordered_at < refunds.ordered_at AND sales.quantity >= -refunds.quantity
),

-- One running sum over all sales, less its part before this sale, is faster than a sum for each of many small sales.
first_round AS (
    SELECT
        *,
        CASE WHEN claim > 0 AND sold >= sum(claim) OVER in_turn - coalesce(sum(claim) OVER other_sales, 0) THEN claim ELSE 0 END
            AS taken
    FROM candidates
    WINDOW
        in_turn AS (ORDER BY sale_line_id, cancelled_at, line_id ROWS UNBOUNDED PRECEDING),
        other_sales AS (ORDER BY sale_line_id GROUPS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
),

left_over AS (
    SELECT
        *,
        sold - (sum(taken) OVER in_turn - coalesce(sum(taken) OVER other_sales, 0)) AS rest,
        sum(taken) OVER (PARTITION BY line_id) > 0 AS is_served
    FROM first_round
    WINDOW
        in_turn AS (ORDER BY sale_line_id, cancelled_at, line_id ROWS UNBOUNDED PRECEDING),
        other_sales AS (ORDER BY sale_line_id GROUPS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
),

claims AS (
    SELECT
        *,
        CASE
            WHEN taken > 0 THEN taken
            WHEN rest >= quantity AND NOT is_served AND row_number() OVER (
                PARTITION BY line_id, rest >= quantity ORDER BY sold_at DESC, sale_line_id DESC
            ) = 1 THEN quantity
            ELSE 0
        END AS wanted
    FROM left_over
),

-- A claim of the second round may have come before one of the first: once more in turn, both together.
granted AS (
    SELECT
        *,
        wanted > 0 AND sold >= sum(wanted) OVER in_turn - coalesce(sum(wanted) OVER other_sales, 0) AS is_granted
    FROM claims
    WINDOW
        in_turn AS (ORDER BY sale_line_id, cancelled_at, line_id ROWS UNBOUNDED PRECEDING),
        other_sales AS (ORDER BY sale_line_id GROUPS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
)

SELECT
    line_id, customer_id, sku, cancelled_at, quantity, refund,
    max(CASE WHEN is_granted THEN sale_line_id END) AS sale_line_id,
    max(CASE WHEN is_granted THEN sale_invoice_id END) AS sale_invoice_id,
    max(CASE WHEN is_granted THEN sold_at END) AS sold_at,
    max(CASE WHEN is_granted THEN 1 ELSE 0 END) = 1 AS is_matched
FROM granted
GROUP BY line_id, customer_id, sku, cancelled_at, quantity, refund
ORDER BY line_id
