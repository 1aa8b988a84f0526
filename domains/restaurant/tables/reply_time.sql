-- Who replies, and how soon. The share looks only at reviews that are at least a week older than the newest one, so that
-- the last week's silence is not taken for an answer.
SELECT
    business_id,
    date_trunc('month', posted_at) AS month,
    count(*) AS reviews,
    count(reply_at) AS replies,
    avg(CASE WHEN reply_at IS NOT NULL AND reply_at <= posted_at + INTERVAL '7 days' THEN 1.0 ELSE 0.0 END)
        AS replied_in_a_week_share,
    avg(CASE WHEN stars > 2 OR stars IS NULL THEN NULL WHEN reply_at <= posted_at + INTERVAL '7 days' THEN 1.0 ELSE 0.0 END)
        AS complaints_replied_in_a_week_share,
    percentile_cont(0.5) WITHIN GROUP (ORDER BY (date_part('epoch', reply_at) - date_part('epoch', posted_at)) / 3600)
        AS reply_hours_median
FROM reviews
WHERE posted_at <= (SELECT max(posted_at) FROM reviews) - INTERVAL '7 days'
    AND (reply_at IS NULL OR reply_at >= posted_at)
GROUP BY business_id, date_trunc('month', posted_at)
ORDER BY business_id, month
