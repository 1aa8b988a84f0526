-- The 15 features of the Fraud Detection Handbook, chapter 3. No fraud among no payments is a share of 0.
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
    coalesce(terminal_fraud_share_1d, 0) AS terminal_fraud_share_1d,
    terminal_payments_7d,
    coalesce(terminal_fraud_share_7d, 0) AS terminal_fraud_share_7d,
    terminal_payments_30d,
    coalesce(terminal_fraud_share_30d, 0) AS terminal_fraud_share_30d
FROM payments
