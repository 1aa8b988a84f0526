-- Each customer's segment at each month's end, from all purchases until then, scored among the customers of that time as
-- in `rfm`. The last month ends with the data. Refunds are known as of today: one given later lowers the months before.
WITH monthly AS (
    SELECT
        customer_id, CAST(date_trunc('month', purchased_on) AS DATE) AS month,
        max(purchased_on) AS last_on, sum(orders) AS orders, sum(value) AS value
    FROM purchases
    GROUP BY customer_id, CAST(date_trunc('month', purchased_on) AS DATE)
),

months AS (
    SELECT DISTINCT month FROM monthly
),

so_far AS (
    SELECT
        monthly.customer_id, months.month,
        max(monthly.last_on) AS last_on, sum(monthly.orders) AS frequency, sum(monthly.value) AS monetary
    FROM monthly
    INNER JOIN months ON months.month >= monthly.month
    GROUP BY monthly.customer_id, months.month
),

scored AS (
    SELECT
        customer_id, month,
        1 + CAST(floor(5.0 * (rank() OVER (PARTITION BY month ORDER BY last_on) - 1) / count(*) OVER (PARTITION BY month)) AS BIGINT)
            AS r_score,
        1 + CAST(floor(5.0 * (rank() OVER (PARTITION BY month ORDER BY frequency) - 1) / count(*) OVER (PARTITION BY month)) AS BIGINT)
            AS f_score,
        1 + CAST(floor(5.0 * (rank() OVER (PARTITION BY month ORDER BY monetary) - 1) / count(*) OVER (PARTITION BY month)) AS BIGINT)
            AS m_score
    FROM so_far
),

newest AS (
    SELECT CAST(max(ordered_at) AS DATE) AS last_on FROM lines
)

SELECT
    scored.customer_id, scored.month, rfm_segments.cell, rfm_segments.segment,
    scored.month + INTERVAL '1 month' <= newest.last_on + INTERVAL '1 day' AS is_complete
FROM newest
CROSS JOIN scored
INNER JOIN rfm_segments
    ON rfm_segments.r_score = scored.r_score AND rfm_segments.f_score = scored.f_score AND rfm_segments.m_score = scored.m_score
ORDER BY scored.customer_id, scored.month
