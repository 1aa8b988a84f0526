-- Customers by the month of their first purchase, and what became of them: who bought again so many months later, and for how
-- much, net of refunds. Every age that the data reach has a row, also where nobody came back. The age whose month was not
-- over when the data ended says so. The first cohort holds also those who had bought before the data began.
WITH monthly AS (
    SELECT customer_id, CAST(date_trunc('month', purchased_on) AS DATE) AS month, sum(value) AS value
    FROM purchases
    GROUP BY customer_id, CAST(date_trunc('month', purchased_on) AS DATE)
),

placed AS (
    SELECT customer_id, month, value, min(month) OVER (PARTITION BY customer_id) AS cohort FROM monthly
),

sums AS (
    SELECT cohort, month, count(*) AS retained, sum(value) AS revenue FROM placed GROUP BY cohort, month
),

grid AS (
    SELECT sizes.cohort, months.month, sizes.retained AS customers
    FROM sums AS sizes
    INNER JOIN (SELECT DISTINCT month FROM sums) AS months ON months.month >= sizes.cohort
    WHERE sizes.month = sizes.cohort
),

newest AS (
    SELECT CAST(max(ordered_at) AS DATE) AS last_on FROM lines
)

SELECT
    grid.cohort,
    CAST(12 * (date_part('year', grid.month) - date_part('year', grid.cohort))
        + date_part('month', grid.month) - date_part('month', grid.cohort) AS BIGINT) AS age_months,
    grid.customers,
    coalesce(sums.retained, 0) AS retained,
    CAST(coalesce(sums.retained, 0) AS DOUBLE PRECISION) / grid.customers AS retention,
    coalesce(sums.revenue, 0) AS revenue,
    CAST(coalesce(sums.revenue, 0) AS DOUBLE PRECISION) / grid.customers AS revenue_per_customer,
    grid.month + INTERVAL '1 month' > newest.last_on + INTERVAL '1 day' AS is_immature
FROM newest
CROSS JOIN grid
LEFT JOIN sums ON sums.cohort = grid.cohort AND sums.month = grid.month
ORDER BY grid.cohort, age_months
