-- Share of each month's new customers who bought again, by months since; a month that is not over is left out
SELECT
    CAST(cohort AS VARCHAR) AS cohort, max(customers) AS customers,
    round(max(CASE WHEN age_months = 1 THEN retention END), 3) AS after_1,
    round(max(CASE WHEN age_months = 2 THEN retention END), 3) AS after_2,
    round(max(CASE WHEN age_months = 3 THEN retention END), 3) AS after_3,
    round(max(CASE WHEN age_months = 6 THEN retention END), 3) AS after_6,
    round(max(CASE WHEN age_months = 12 THEN retention END), 3) AS after_12
FROM cohorts
WHERE NOT is_immature
GROUP BY cohort
ORDER BY cohort DESC
LIMIT 18
