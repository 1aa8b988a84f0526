-- One SELECT shapes a table of your own to the contract; mcc and country are beyond it and become features by themselves.
SELECT id AS payment_id, ts AS paid_at, card AS customer_id, pos AS terminal_id, eur AS amount, chargeback AS is_fraud, mcc, country
FROM source
