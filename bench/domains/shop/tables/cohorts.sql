-- Customers by the month of their first sale and by age in months: how many bought, and for how much.
WITH monthly AS (
    SELECT customer_id, CAST(date_trunc('month', purchased_on) AS DATE) AS month, sum(value) AS value
    FROM purchases
    GROUP BY customer_id, CAST(date_trunc('month', purchased_on) AS DATE)
),

first AS (
    SELECT customer_id, CAST(date_trunc('month', min(purchased_on)) AS DATE) AS cohort FROM purchases GROUP BY customer_id
),

placed AS (
    SELECT month, value, cohort FROM first INNER JOIN monthly ON monthly.customer_id = first.customer_id
)

SELECT
    cohort,
    CAST(12 * (date_part('year', month) - date_part('year', cohort))
        + date_part('month', month) - date_part('month', cohort) AS BIGINT) AS age_months,
    count(*) AS customers,
    sum(value) AS revenue
FROM placed
GROUP BY cohort, month
ORDER BY cohort, age_months
