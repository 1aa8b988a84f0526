-- TX_FRAUD_SCENARIO says how a fraud was made and must never reach a model: it is not taken.
SELECT
    "TRANSACTION_ID" AS payment_id,
    "TX_DATETIME" AS paid_at,
    "CUSTOMER_ID" AS customer_id,
    "TERMINAL_ID" AS terminal_id,
    "TX_AMOUNT" AS amount,
    "TX_FRAUD" AS is_fraud
FROM source
