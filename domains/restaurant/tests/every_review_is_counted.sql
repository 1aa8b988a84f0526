-- Every review stands in one place and month, and is positive, neutral or negative there.
WITH months AS (
    SELECT
        sum(reviews) AS counted,
        sum(reviews * (positive_share + neutral_share + negative_share)) AS judged
    FROM sentiment_distribution
),

raw AS (SELECT count(*) AS reviews FROM reviews)

SELECT raw.reviews, months.counted, months.judged
FROM months CROSS JOIN raw
WHERE raw.reviews <> months.counted OR abs(raw.reviews - months.judged) > 0.001
