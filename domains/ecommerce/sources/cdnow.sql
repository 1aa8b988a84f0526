-- CDNOW_master.txt has no invoice numbers: each line is an order by itself, and two alike on one day are two
-- orders.
SELECT
    'cdnow-' || CAST(_row AS VARCHAR) AS line_id,
    'cdnow-' || CAST(_row AS VARCHAR) AS invoice_id,
    'CD' AS sku,
    'compact discs' AS description,
    number_of_cds AS quantity,
    substr(date, 1, 4) || '-' || substr(date, 5, 2) || '-' || substr(date, 7, 2) AS ordered_at,
    CAST(dollar_value AS DOUBLE PRECISION) / nullif(CAST(number_of_cds AS DOUBLE PRECISION), 0) AS unit_price,
    customer_id,
    CAST(NULL AS VARCHAR) AS country
FROM source
