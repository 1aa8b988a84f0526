-- The label comes from the stars: three of them say neither yes nor no.
SELECT
    review_id, business_id, posted_at, text, stars, guest_id, reply_at,
    CASE WHEN stars IN ('1', '2') THEN 'true' WHEN stars IN ('4', '5') THEN 'false' END AS is_negative
FROM source
