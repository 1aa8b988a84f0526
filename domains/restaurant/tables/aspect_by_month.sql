-- Praise and blame by aspect and month, with the words that put each most plainly.
WITH ranked AS (
    SELECT
        business_id, date_trunc('month', posted_at) AS month, aspect, label, polarity, quote,
        row_number() OVER (
            PARTITION BY business_id, date_trunc('month', posted_at), aspect ORDER BY polarity, review_id, quote
        ) AS from_worst,
        row_number() OVER (
            PARTITION BY business_id, date_trunc('month', posted_at), aspect ORDER BY polarity DESC, review_id, quote
        ) AS from_best
    FROM aspect_mentions
)

SELECT
    business_id,
    month,
    aspect,
    count(*) AS mentions,
    sum(CASE WHEN label = 'positive' THEN 1 ELSE 0 END) AS praised,
    sum(CASE WHEN label = 'negative' THEN 1 ELSE 0 END) AS blamed,
    avg(polarity) AS polarity_avg,
    avg(CASE label WHEN 'positive' THEN 1.0 WHEN 'negative' THEN 0.0 END) AS praised_share,
    max(CASE WHEN from_worst = 1 AND label = 'negative' THEN quote END) AS worst_said,
    max(CASE WHEN from_best = 1 AND label = 'positive' THEN quote END) AS best_said
FROM ranked
GROUP BY business_id, month, aspect
ORDER BY business_id, month, aspect
