-- Weeks with two signals or more: reasons to look, never verdicts
SELECT business_id, week, reviews, signals, burst, near_duplicates, one_off_guests, best_stars
FROM suspicion_signals
WHERE signals >= 2
ORDER BY week DESC, business_id
LIMIT 20
