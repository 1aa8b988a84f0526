-- Since when an aspect is spoken of otherwise: for each business and aspect the day that parts its mentions best.
-- The running sum of praise less its share, over its standard deviation, has under no change the supremum of a Brownian
-- bridge: P(more than c) is about 2 exp(-2 c^2) (Kolmogorov). `false_alarms` is that times the number of series looked
-- at: so many changes as clear as this one chance brings about in all of them. Twenty mentions at least.
WITH sides AS (
    SELECT
        business_id, aspect, posted_at, review_id,
        CASE WHEN label = 'positive' THEN 1.0 ELSE 0.0 END AS praise,
        row_number() OVER (PARTITION BY business_id, aspect ORDER BY posted_at, review_id, quote) AS number,
        count(*) OVER (PARTITION BY business_id, aspect) AS mentions
    FROM aspect_mentions
    WHERE label <> 'neutral'
),

sums AS (
    SELECT
        business_id, aspect, posted_at, number, mentions,
        sum(praise) OVER (PARTITION BY business_id, aspect ORDER BY number) AS praised_so_far,
        sum(praise) OVER (PARTITION BY business_id, aspect) AS praised
    FROM sides
    WHERE mentions >= 20
),

parted AS (
    SELECT
        *,
        lead(posted_at) OVER (PARTITION BY business_id, aspect ORDER BY number) AS next_at,
        abs(praised_so_far - praised * number / mentions)
            / sqrt(greatest(praised * (mentions - praised) / mentions, 0.5)) AS distance
    FROM sums
),

best AS (
    SELECT
        *,
        row_number() OVER (PARTITION BY business_id, aspect ORDER BY distance DESC, number) AS place,
        2 * exp(-2 * distance * distance) AS chance
    FROM parted
    WHERE number < mentions
)

SELECT
    business_id,
    aspect,
    next_at AS since,
    mentions,
    praised_so_far / number AS praised_share_before,
    (praised - praised_so_far) / (mentions - number) AS praised_share_after,
    least(chance, 1) AS chance,
    least(chance, 1) * count(*) OVER () AS false_alarms
FROM best
WHERE place = 1
ORDER BY chance, business_id, aspect
