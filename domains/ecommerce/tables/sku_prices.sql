-- What an article went for in each month, sales to known customers only: those without one go by another channel at other
-- prices. The mean is by the piece, the median by the line: one line of a wrong price moves the mean alone.
SELECT
    CAST(date_trunc('month', ordered_at) AS DATE) AS month,
    sku,
    count(*) AS order_lines,
    CAST(sum(quantity) AS BIGINT) AS items,
    sum(value) AS revenue,
    CAST(sum(value) AS DOUBLE PRECISION) / sum(quantity) AS price_avg,
    percentile_cont(0.5) WITHIN GROUP (ORDER BY unit_price) AS price_median
FROM lines
WHERE kind = 'sale'
GROUP BY CAST(date_trunc('month', ordered_at) AS DATE), sku
ORDER BY month, sku
