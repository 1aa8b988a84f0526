-- Recency, frequency and monetary value of each customer on the day after the last line, net of what was given back.
-- A score is 1 and the fifths of all customers that are strictly worse: equal values have equal scores, so that fifths are
-- seldom of one size, and where many share the best value none has a 5.
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
    SELECT CAST(max(ordered_at) AS DATE) AS last_on FROM lines
)

SELECT
    scored.customer_id,
    1 + CAST((date_part('epoch', newest.last_on) - date_part('epoch', scored.last_on)) / 86400 AS BIGINT) AS recency_days,
    scored.frequency, scored.monetary,
    scored.r_score, scored.f_score, scored.m_score,
    rfm_segments.cell, rfm_segments.segment
FROM newest
CROSS JOIN scored
INNER JOIN rfm_segments
    ON rfm_segments.r_score = scored.r_score AND rfm_segments.f_score = scored.f_score AND rfm_segments.m_score = scored.m_score
ORDER BY scored.customer_id
