-- The mean of three reviews says little: each month's mean is drawn towards the mean of all reviews as if so many more
-- had been read (`prior_reviews`, the variance within months over the variance between them), with a 95 % interval.
-- Normal-normal empirical Bayes; Efron & Morris 1975.
WITH cells AS (
    SELECT
        business_id,
        date_trunc('month', posted_at) AS month,
        count(stars) AS ratings,
        avg(CAST(stars AS DOUBLE PRECISION)) AS mean,
        coalesce(var_samp(CAST(stars AS DOUBLE PRECISION)), 0) AS variance
    FROM reviews
    WHERE stars IS NOT NULL
    GROUP BY business_id, date_trunc('month', posted_at)
),

spread AS (
    SELECT
        sum(mean * ratings) / sum(ratings) AS prior_mean,
        sum(variance * (ratings - 1)) / nullif(sum(ratings - 1), 0) AS within_months,
        var_samp(mean) AS means,
        avg(1.0 / ratings) AS part_by_chance
    FROM cells
),

prior AS (
    SELECT
        prior_mean,
        within_months,
        -- At most a thousand: businesses that do not differ at all would ask for infinitely many.
        least(within_months / greatest(means - within_months * part_by_chance, within_months / 1000), 1000) AS prior_reviews
    FROM spread
)

SELECT
    business_id,
    month,
    ratings,
    mean AS rating_mean,
    (mean * ratings + prior_mean * prior_reviews) / (ratings + prior_reviews) AS rating,
    (mean * ratings + prior_mean * prior_reviews) / (ratings + prior_reviews)
        - 1.96 * sqrt(within_months / (ratings + prior_reviews)) AS rating_low,
    (mean * ratings + prior_mean * prior_reviews) / (ratings + prior_reviews)
        + 1.96 * sqrt(within_months / (ratings + prior_reviews)) AS rating_high,
    prior_reviews
FROM cells CROSS JOIN prior
ORDER BY business_id, month
