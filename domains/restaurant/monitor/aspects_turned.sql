-- Aspects that are spoken of otherwise than before, clearest first; `false_alarms` is how many such chance would bring about
SELECT
  business_id, aspect, since, mentions,
  round(100 * praised_share_before, 0) AS praised_before_percent,
  round(100 * praised_share_after, 0) AS praised_after_percent,
  round(false_alarms, 4) AS false_alarms
FROM aspect_changes
WHERE false_alarms < 1
ORDER BY false_alarms, business_id, aspect
LIMIT 20
