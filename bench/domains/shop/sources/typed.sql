SELECT line_id, invoice_id, sku, description, quantity, ordered_at, unit_price, customer_id, country FROM source
