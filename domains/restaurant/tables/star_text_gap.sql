-- Reviews whose words are not those that usually go with their stars: mistaken stars, sarcasm, or a text about something
-- else. `gap` is in standard deviations among reviews of as many stars; above 0 the words are kinder than the stars.
SELECT review_id, business_id, posted_at, stars, compound, gap
FROM (
    SELECT
        review_id, business_id, posted_at, stars, compound,
        (compound - avg(compound) OVER (PARTITION BY stars)) / nullif(stddev_samp(compound) OVER (PARTITION BY stars), 0) AS gap
    FROM sentiment
    WHERE stars IS NOT NULL
) AS compared
WHERE abs(gap) >= 2
ORDER BY abs(gap) DESC, review_id
