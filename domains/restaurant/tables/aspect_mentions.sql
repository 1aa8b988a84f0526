-- What each review speaks of, one row for each thing said.
SELECT
    review_id,
    business_id,
    posted_at,
    found['aspect'] AS aspect,
    found['dish'] AS dish,
    found['polarity'] AS polarity,
    found['label'] AS label,
    found['quote'] AS quote
FROM (SELECT review_id, business_id, posted_at, unnest(aspects(text)) AS found FROM reviews) AS said
