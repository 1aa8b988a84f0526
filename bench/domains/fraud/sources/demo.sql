SELECT payment_id, paid_at, customer_id, terminal_id, amount, is_fraud FROM source
