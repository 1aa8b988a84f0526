-- Segments: sizes today, what they brought, and sizes told for the next three months
SELECT
    sizes.segment, sizes.customers, CAST(sizes.monetary AS DECIMAL(18, 2)) AS brought,
    round(max(CASE WHEN told.months_ahead = 1 THEN told.forecast END), 0) AS in_1_month,
    round(max(CASE WHEN told.months_ahead = 2 THEN told.forecast END), 0) AS in_2_months,
    round(max(CASE WHEN told.months_ahead = 3 THEN told.forecast END), 0) AS in_3_months
FROM (SELECT segment, count(*) AS customers, sum(monetary) AS monetary FROM rfm GROUP BY segment) AS sizes
LEFT JOIN segment_forecast AS told ON told.segment = sizes.segment
GROUP BY sizes.segment, sizes.customers, sizes.monetary
ORDER BY sizes.monetary DESC
