-- Complaints of the newest day and why somebody should look at them
SELECT review_id, business_id, posted_at, stars, round(probability, 4) AS probability, action, rules, reasons
FROM observed
WHERE action <> 'file' AND window_start = (SELECT max(window_start) FROM observed)
ORDER BY probability DESC, review_id
LIMIT 20
