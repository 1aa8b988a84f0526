-- The riskiest payments of the last day
SELECT payment_id, paid_at, amount, round(probability, 4) AS probability, action, reasons
FROM observed
WHERE action <> 'approve' AND window_start = (SELECT max(window_start) FROM observed)
ORDER BY probability DESC
LIMIT 20
