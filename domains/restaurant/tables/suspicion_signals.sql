-- Signals by business and week: never a verdict. A feast or a newspaper article gives some of them too;
-- only a person can tell. A guest is one-off who wrote one review in all the data, so newcomers of the last weeks
-- look one-off before they have had time to write again.
WITH guests AS (
    SELECT guest_id, count(*) AS reviews FROM reviews WHERE guest_id IS NOT NULL GROUP BY guest_id
),

alike AS (
    SELECT review_id FROM near_duplicates
    UNION
    SELECT other_review_id AS review_id FROM near_duplicates
),

told AS (
    SELECT
        reviews.business_id,
        date_trunc('week', reviews.posted_at) AS week,
        CASE WHEN alike.review_id IS NULL THEN 0.0 ELSE 1.0 END AS is_alike,
        CASE WHEN guests.reviews = 1 THEN 1.0 WHEN guests.reviews > 1 THEN 0.0 END AS is_one_off,
        CASE WHEN stars = 5 THEN 1.0 WHEN stars < 5 THEN 0.0 END AS is_best
    FROM reviews
    LEFT JOIN guests ON guests.guest_id = reviews.guest_id
    LEFT JOIN alike ON alike.review_id = reviews.review_id
),

town AS (
    SELECT week, avg(is_one_off) AS one_off_share, avg(is_best) AS best_share FROM told GROUP BY week
),

weekly AS (
    SELECT
        business_id, week, count(*) AS reviews, sum(is_alike) AS alike,
        avg(is_one_off) AS one_off_share, count(is_one_off) AS guests, avg(is_best) AS best_share, count(is_best) AS rated
    FROM told
    GROUP BY business_id, week
),

compared AS (
    SELECT
        weekly.*,
        -- Standard deviations of a share from the town's share in the same week.
        (weekly.one_off_share - town.one_off_share)
            / sqrt(greatest(town.one_off_share * (1 - town.one_off_share), 0.01) / greatest(weekly.guests, 1)) AS one_off_surprise,
        (weekly.best_share - town.best_share)
            / sqrt(greatest(town.best_share * (1 - town.best_share), 0.01) / greatest(weekly.rated, 1)) AS best_surprise
    FROM weekly INNER JOIN town ON town.week = weekly.week
),

signals AS (
    SELECT
        compared.*,
        velocity.surprise AS burst_surprise,
        CASE WHEN velocity.is_burst THEN 1 ELSE 0 END AS burst,
        CASE WHEN alike >= 3 AND alike >= 0.2 * compared.reviews THEN 1 ELSE 0 END AS near_duplicates,
        CASE WHEN one_off_surprise > 4 THEN 1 ELSE 0 END AS one_off_guests,
        CASE WHEN best_surprise > 4 THEN 1 ELSE 0 END AS best_stars
    FROM compared
    LEFT JOIN review_velocity AS velocity
        ON velocity.business_id = compared.business_id AND velocity.week = compared.week
)

SELECT
    business_id,
    week,
    reviews,
    burst + near_duplicates + one_off_guests + best_stars AS signals,
    burst,
    near_duplicates,
    one_off_guests,
    best_stars,
    burst_surprise,
    alike AS alike_reviews,
    one_off_share,
    best_share AS five_star_share
FROM signals
WHERE burst + near_duplicates + one_off_guests + best_stars > 0
ORDER BY signals DESC, business_id, week
