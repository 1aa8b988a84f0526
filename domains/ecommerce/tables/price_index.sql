-- Median prices of the same articles from month to month, chained, the first month being 100. Each link looks at the articles
-- sold in both months: Laspeyres weighs them by the month before, Paasche by this one, Fisher is the geometric mean of both.
-- `covered_share` is their part of the revenue. A chain of monthly links drifts where sales come and go.
WITH links AS (
    SELECT
        now.month,
        count(*) AS articles,
        -- Decimal, so that the sum is the same in every order.
        CAST(sum(CAST(now.price_median AS DECIMAL(18, 4)) * before.items) AS DOUBLE PRECISION)
            / CAST(sum(CAST(before.price_median AS DECIMAL(18, 4)) * before.items) AS DOUBLE PRECISION) AS laspeyres,
        CAST(sum(CAST(now.price_median AS DECIMAL(18, 4)) * now.items) AS DOUBLE PRECISION)
            / CAST(sum(CAST(before.price_median AS DECIMAL(18, 4)) * now.items) AS DOUBLE PRECISION) AS paasche,
        CAST(sum(now.revenue) AS DOUBLE PRECISION) AS covered
    FROM sku_prices AS now
    INNER JOIN sku_prices AS before
        ON before.sku = now.sku AND before.month = CAST(now.month - INTERVAL '1 month' AS DATE)
    GROUP BY now.month
),

months AS (
    SELECT month, CAST(sum(revenue) AS DOUBLE PRECISION) AS revenue FROM sku_prices GROUP BY month
)

SELECT
    months.month,
    links.articles,
    links.covered / months.revenue AS covered_share,
    100 * exp(sum(ln(coalesce(links.laspeyres, 1))) OVER until_then) AS laspeyres,
    100 * exp(sum(ln(coalesce(links.paasche, 1))) OVER until_then) AS paasche,
    100 * exp(sum(ln(coalesce(links.laspeyres * links.paasche, 1))) OVER until_then / 2) AS fisher
FROM months
LEFT JOIN links ON links.month = months.month
WINDOW until_then AS (ORDER BY months.month)
ORDER BY months.month
