-- Sizes of the segments one to three months after the last complete one: the last six months' moves, taken together, once
-- for each month (a Markov chain), and as many new customers as those months had on average. Beside it the naive line, that
-- nothing changes, and how far off both were on average, in customers, from every earlier month with six months before it.
WITH numbered AS (
    SELECT
        dense_rank() OVER (ORDER BY month) AS number, month, from_segment, to_segment,
        CAST(customers AS DOUBLE PRECISION) AS customers
    FROM segment_migration
),

origins AS (
    SELECT DISTINCT number AS origin, month FROM numbered WHERE number >= 6
),

moves AS (
    SELECT origins.origin, numbered.from_segment, numbered.to_segment, sum(numbered.customers) AS customers
    FROM origins
    INNER JOIN numbered ON numbered.number <= origins.origin AND numbered.number > origins.origin - 6
    GROUP BY origins.origin, numbered.from_segment, numbered.to_segment
),

names AS (
    SELECT DISTINCT segment FROM rfm_segments
),

-- Decimal from here on, so that sums are the same in every order.
matrix AS (
    SELECT
        origin, from_segment, to_segment,
        CAST(
            customers / CASE WHEN from_segment = 'none' THEN 6 ELSE sum(customers) OVER (PARTITION BY origin, from_segment) END
            AS DECIMAL(20, 12)
        ) AS share
    FROM moves
    UNION ALL
    -- Where nobody was in a segment for six months, whoever is there now is taken to stay.
    SELECT origins.origin, names.segment AS from_segment, names.segment AS to_segment, CAST(1 AS DECIMAL(20, 12))
    FROM origins
    CROSS JOIN names
    LEFT JOIN (SELECT DISTINCT origin, from_segment FROM moves) AS seen
        ON seen.origin = origins.origin AND seen.from_segment = names.segment
    WHERE seen.origin IS NULL
),

sizes AS (
    SELECT number, to_segment AS segment, sum(customers) AS customers FROM numbered GROUP BY number, to_segment
),

-- New customers are a segment that keeps its size of one: its row of the matrix holds numbers instead of shares.
ahead_0 AS (
    SELECT origins.origin, sizes.segment, CAST(sizes.customers AS DECIMAL(18, 6)) AS customers
    FROM origins INNER JOIN sizes ON sizes.number = origins.origin
    UNION ALL
    SELECT origin, 'none', CAST(1 AS DECIMAL(18, 6)) FROM origins
),

ahead_1 AS (
    SELECT now.origin, matrix.to_segment AS segment, CAST(sum(now.customers * matrix.share) AS DECIMAL(18, 6)) AS customers
    FROM ahead_0 AS now INNER JOIN matrix ON matrix.origin = now.origin AND matrix.from_segment = now.segment
    GROUP BY now.origin, matrix.to_segment
    UNION ALL
    SELECT origin, 'none', CAST(1 AS DECIMAL(18, 6)) FROM origins
),

ahead_2 AS (
    SELECT now.origin, matrix.to_segment AS segment, CAST(sum(now.customers * matrix.share) AS DECIMAL(18, 6)) AS customers
    FROM ahead_1 AS now INNER JOIN matrix ON matrix.origin = now.origin AND matrix.from_segment = now.segment
    GROUP BY now.origin, matrix.to_segment
    UNION ALL
    SELECT origin, 'none', CAST(1 AS DECIMAL(18, 6)) FROM origins
),

ahead_3 AS (
    SELECT now.origin, matrix.to_segment AS segment, CAST(sum(now.customers * matrix.share) AS DECIMAL(18, 6)) AS customers
    FROM ahead_2 AS now INNER JOIN matrix ON matrix.origin = now.origin AND matrix.from_segment = now.segment
    GROUP BY now.origin, matrix.to_segment
),

told AS (
    SELECT origin, 1 AS months_ahead, segment, customers FROM ahead_1
    UNION ALL
    SELECT origin, 2, segment, customers FROM ahead_2
    UNION ALL
    SELECT origin, 3, segment, customers FROM ahead_3
),

newest AS (
    SELECT max(number) AS origin, max(month) AS month FROM numbered
),

compared AS (
    SELECT
        origins.origin, horizons.months_ahead, names.segment,
        CAST(coalesce(told.customers, 0) AS DECIMAL(18, 6)) AS forecast,
        CAST(coalesce(now.customers, 0) AS DECIMAL(18, 6)) AS naive,
        CASE WHEN origins.origin + horizons.months_ahead <= newest.origin THEN CAST(coalesce(later.customers, 0) AS DECIMAL(18, 6)) END AS actual
    FROM origins
    CROSS JOIN (SELECT 1 AS months_ahead UNION ALL SELECT 2 UNION ALL SELECT 3) AS horizons
    CROSS JOIN names
    CROSS JOIN newest
    LEFT JOIN told
        ON told.origin = origins.origin AND told.months_ahead = horizons.months_ahead AND told.segment = names.segment
    LEFT JOIN sizes AS now ON now.number = origins.origin AND now.segment = names.segment
    LEFT JOIN sizes AS later ON later.number = origins.origin + horizons.months_ahead AND later.segment = names.segment
)

SELECT
    newest.month AS after_month,
    compared.months_ahead,
    compared.segment,
    CAST(max(CASE WHEN compared.origin = newest.origin THEN compared.forecast END) AS DOUBLE PRECISION) AS forecast,
    CAST(max(CASE WHEN compared.origin = newest.origin THEN compared.naive END) AS DOUBLE PRECISION) AS naive,
    count(compared.actual) AS months_tested,
    CAST(sum(abs(compared.forecast - compared.actual)) AS DOUBLE PRECISION) / nullif(count(compared.actual), 0) AS forecast_error,
    CAST(sum(abs(compared.naive - compared.actual)) AS DOUBLE PRECISION) / nullif(count(compared.actual), 0) AS naive_error
FROM newest CROSS JOIN compared
GROUP BY newest.month, compared.months_ahead, compared.segment
ORDER BY months_ahead, segment
