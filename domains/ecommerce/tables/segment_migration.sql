-- Who went from which segment to which between the ends of two complete months. Those who bought for the first time come
-- from `none`; nobody goes there, since a customer who stays away sinks and remains.
WITH pairs AS (
    SELECT
        month,
        coalesce(lag(segment) OVER (PARTITION BY customer_id ORDER BY month), 'none') AS from_segment,
        segment AS to_segment
    FROM segment_months
    WHERE is_complete
),

counted AS (
    SELECT month, from_segment, to_segment, count(*) AS customers
    FROM pairs
    WHERE month > (SELECT min(month) FROM segment_months)
    GROUP BY month, from_segment, to_segment
)

SELECT
    month, from_segment, to_segment, customers,
    CAST(customers AS DOUBLE PRECISION) / sum(customers) OVER (PARTITION BY month, from_segment) AS share
FROM counted
ORDER BY month, from_segment, to_segment
