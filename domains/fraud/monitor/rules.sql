-- What each rule adds: payments it stopped that the score alone would have let through, where the truth is known
SELECT
  rules AS rule,
  count(*) AS hits,
  sum(CASE WHEN model_action <> action THEN 1 ELSE 0 END) AS beyond_the_score,
  sum(CASE WHEN model_action <> action AND is_fraud THEN 1 ELSE 0 END) AS of_them_frauds,
  round(100.0 * avg(CASE WHEN is_fraud IS NULL THEN NULL WHEN is_fraud THEN 1.0 ELSE 0.0 END), 1) AS hits_right_percent,
  round(sum(CASE WHEN model_action <> action AND is_fraud THEN amount ELSE 0 END), 2) AS fraud_amount_saved
FROM observed
WHERE rules <> '' AND window_start > (SELECT max(window_start) FROM observed) - INTERVAL '28 days'
GROUP BY rules
ORDER BY hits DESC
