-- Fraud by day: what was stopped, and how much of it was right, where the truth is known
SELECT
  window_start AS day,
  count(*) AS payments,
  round(100.0 * avg(CASE WHEN is_fraud IS NULL THEN NULL WHEN is_fraud THEN 1.0 ELSE 0.0 END), 2) AS fraud_percent,
  sum(CASE WHEN action = 'decline' THEN 1 ELSE 0 END) AS declined,
  sum(CASE WHEN action = 'review' THEN 1 ELSE 0 END) AS for_review,
  round(100.0 * avg(CASE WHEN action <> 'decline' OR is_fraud IS NULL THEN NULL WHEN is_fraud THEN 1.0 ELSE 0.0 END), 1)
    AS declines_right_percent,
  round(100.0 * avg(CASE WHEN is_fraud THEN CASE WHEN action = 'approve' THEN 0.0 ELSE 1.0 END END), 1) AS frauds_stopped_percent
FROM observed
WHERE window_start > (SELECT max(window_start) FROM observed) - INTERVAL '28 days'
GROUP BY window_start
ORDER BY window_start DESC
