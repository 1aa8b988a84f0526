-- Businesses by the share of complaints in the last 28 days
SELECT
  business_id,
  count(*) AS reviews,
  round(100.0 * avg(CASE WHEN probability >= 0.5 THEN 1.0 ELSE 0.0 END), 1) AS complaints_percent,
  round(avg(CAST(stars AS DOUBLE PRECISION)), 2) AS stars_avg,
  sum(CASE WHEN action = 'look_now' THEN 1 ELSE 0 END) AS to_look_at
FROM observed
WHERE window_start > (SELECT max(window_start) FROM observed) - INTERVAL '28 days'
GROUP BY business_id
HAVING count(*) >= 10
ORDER BY complaints_percent DESC, business_id
LIMIT 20
