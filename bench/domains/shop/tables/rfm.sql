-- Recency, frequency (invoices) and monetary value of each customer on the day after the last line. A score is 1 and the
-- fifths of all customers that are strictly worse: equal values have equal scores.
WITH customers AS (
    SELECT customer_id, max(purchased_on) AS last_on, CAST(sum(orders) AS BIGINT) AS frequency, sum(value) AS monetary
    FROM purchases
    GROUP BY customer_id
),

scored AS (
    SELECT
        customer_id, last_on, frequency, monetary,
        1 + CAST(floor(5.0 * (rank() OVER (ORDER BY last_on) - 1) / count(*) OVER ()) AS BIGINT) AS r_score,
        1 + CAST(floor(5.0 * (rank() OVER (ORDER BY frequency) - 1) / count(*) OVER ()) AS BIGINT) AS f_score,
        1 + CAST(floor(5.0 * (rank() OVER (ORDER BY monetary) - 1) / count(*) OVER ()) AS BIGINT) AS m_score
    FROM customers
),

newest AS (
    SELECT CAST(max(ordered_at) AS DATE) AS last_on FROM clean
)

SELECT
    customer_id,
    1 + CAST((date_part('epoch', newest.last_on) - date_part('epoch', scored.last_on)) / 86400 AS BIGINT) AS recency_days,
    frequency, monetary, r_score, f_score, m_score,
    100 * r_score + 10 * f_score + m_score AS cell
FROM newest
CROSS JOIN scored
ORDER BY customer_id
