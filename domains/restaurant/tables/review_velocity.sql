-- Reviews by week beside what was usual in the eight weeks before. `surprise` is in standard deviations of a Poisson count
-- (Anscombe's square roots, the usual mean being itself an estimate): above 4 a burst, which chance alone brings about in
-- one week of 31,000. The first and the last week are seldom whole; a week without a review counts as 0.
WITH weeks AS (
    SELECT DISTINCT date_trunc('week', posted_at) AS week FROM reviews
),

counted AS (
    SELECT
        business_id,
        date_trunc('week', posted_at) AS week,
        count(*) AS reviews,
        avg(CAST(stars AS DOUBLE PRECISION)) AS stars_avg
    FROM reviews
    GROUP BY business_id, date_trunc('week', posted_at)
),

grid AS (
    SELECT places.business_id, weeks.week, coalesce(counted.reviews, 0) AS reviews, counted.stars_avg
    FROM (SELECT DISTINCT business_id FROM reviews) AS places
    CROSS JOIN weeks
    LEFT JOIN counted ON counted.business_id = places.business_id AND counted.week = weeks.week
),

usual AS (
    SELECT
        *,
        avg(CAST(reviews AS DOUBLE PRECISION)) OVER before AS reviews_usual,
        count(*) OVER before AS weeks_before
    FROM grid
    WINDOW before AS (PARTITION BY business_id ORDER BY week ROWS BETWEEN 8 PRECEDING AND 1 PRECEDING)
)

SELECT
    business_id,
    week,
    reviews,
    stars_avg,
    reviews_usual,
    2 * (sqrt(reviews + 0.375) - sqrt(reviews_usual + 0.375)) / sqrt(1 + 1.0 / weeks_before) AS surprise,
    coalesce(2 * (sqrt(reviews + 0.375) - sqrt(reviews_usual + 0.375)) / sqrt(1 + 1.0 / weeks_before) > 4, FALSE) AS is_burst
FROM usual
WHERE weeks_before >= 4
ORDER BY business_id, week
