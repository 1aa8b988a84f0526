-- UCI Online Retail, one row a line of an invoice. The file writes customers as `17850.0` and one article now as 85123A,
-- now as 85123a. Times are the shop's own (London), without a zone. An invoice number can stand on two days' lines.
SELECT
    "InvoiceNo" || '-' || CAST(_row AS VARCHAR) AS line_id,
    "InvoiceNo" AS invoice_id,
    upper(trim("StockCode")) AS sku,
    trim("Description") AS description,
    "Quantity" AS quantity,
    "InvoiceDate" AS ordered_at,
    "UnitPrice" AS unit_price,
    regexp_replace("CustomerID", '\.0$', '') AS customer_id,
    "Country" AS country
FROM source
