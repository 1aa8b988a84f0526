-- The 125 cells of recency, frequency and monetary scores (5 is best) and the segment that each belongs to: said here once.
-- The square of recency by the mean of frequency and money (halves rounded up) is parted as is usual with marketers, the
-- lowest corner in two; the lines are a convention and nothing that the data said.
WITH scores AS (
    SELECT 1 AS score UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4 UNION ALL SELECT 5
),

cells AS (
    SELECT
        recency.score AS r_score, frequency.score AS f_score, monetary.score AS m_score,
        CAST(floor((frequency.score + monetary.score + 1) / 2.0) AS BIGINT) AS fm_score
    FROM scores AS recency
    CROSS JOIN scores AS frequency
    CROSS JOIN scores AS monetary
)

SELECT
    CAST(r_score AS VARCHAR) || CAST(f_score AS VARCHAR) || CAST(m_score AS VARCHAR) AS cell,
    r_score, f_score, m_score,
    CASE
        WHEN r_score = 5 AND fm_score >= 4 THEN 'Champions'
        WHEN r_score >= 3 AND fm_score >= 4 THEN 'Loyal'
        WHEN r_score >= 4 AND fm_score >= 2 THEN 'Potential loyalist'
        WHEN r_score = 5 THEN 'New customers'
        WHEN r_score = 4 THEN 'Promising'
        WHEN r_score = 3 AND fm_score = 3 THEN 'Need attention'
        WHEN r_score = 3 THEN 'About to sleep'
        WHEN fm_score = 5 THEN 'Cannot lose them'
        WHEN fm_score >= 3 THEN 'At risk'
        WHEN r_score = 2 THEN 'Hibernating'
        ELSE 'Lost'
    END AS segment
FROM cells
ORDER BY cell
