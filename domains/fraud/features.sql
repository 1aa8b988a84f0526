-- The 15 features of the Fraud Detection Handbook, chapter 3, and five that say how unusual the amount is for this
-- card and what the terminal's past was like.
SELECT
    amount,
    CASE WHEN date_part('isodow', paid_at) >= 6 THEN 1 ELSE 0 END AS is_weekend,
    CASE WHEN date_part('hour', paid_at) <= 6 THEN 1 ELSE 0 END AS is_night,
    customer_payments_1d,
    customer_amount_avg_1d,
    customer_payments_7d,
    customer_amount_avg_7d,
    customer_payments_30d,
    customer_amount_avg_30d,
    terminal_payments_1d,
    terminal_fraud_share_1d,
    terminal_payments_7d,
    terminal_fraud_share_7d,
    terminal_payments_30d,
    terminal_fraud_share_30d,
    amount / nullif(customer_earlier_amount_avg_60d, 0) AS amount_over_usual,
    customer_earlier_amount_max_14d / nullif(customer_earlier_amount_avg_60d, 0) AS recent_max_over_usual,
    terminal_frauds_21d,
    terminal_last_was_fraud_21d AS terminal_last_was_fraud,
    terminal_month_ago_frauds_14d AS terminal_frauds_month_ago
FROM payments
