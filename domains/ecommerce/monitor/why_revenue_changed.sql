-- Why net revenue changed from month to month, the newest first
SELECT
    CAST(starts_on AS VARCHAR) AS month, CAST(net_now AS DECIMAL(18, 2)) AS net_revenue, CAST(change AS DECIMAL(18, 2)) AS change,
    CAST(by_customers AS DECIMAL(18, 2)) AS by_customers, CAST(by_frequency AS DECIMAL(18, 2)) AS by_frequency,
    CAST(by_basket AS DECIMAL(18, 2)) AS by_basket, CAST(by_price AS DECIMAL(18, 2)) AS by_price,
    CAST(by_unattributed AS DECIMAL(18, 2)) AS without_customer, CAST(by_refunds AS DECIMAL(18, 2)) AS by_refunds, is_partial
FROM revenue_change
WHERE grain = 'month' AND country = 'all'
ORDER BY starts_on DESC
LIMIT 12
