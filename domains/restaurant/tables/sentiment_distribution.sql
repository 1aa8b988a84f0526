-- How the words of a business's reviews spread, month by month.
SELECT
    business_id,
    date_trunc('month', posted_at) AS month,
    count(*) AS reviews,
    avg(compound) AS compound_avg,
    avg(CASE WHEN sentiment = 'positive' THEN 1.0 ELSE 0.0 END) AS positive_share,
    avg(CASE WHEN sentiment = 'neutral' THEN 1.0 ELSE 0.0 END) AS neutral_share,
    avg(CASE WHEN sentiment = 'negative' THEN 1.0 ELSE 0.0 END) AS negative_share
FROM sentiment
GROUP BY business_id, date_trunc('month', posted_at)
ORDER BY business_id, month
