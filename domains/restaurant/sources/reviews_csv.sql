-- What export tools mostly give. Where your columns have other names, copy this file, change the names on the left of AS,
-- write NULL for what you do not have, and give its path as --layout mine.sql.
SELECT
    id AS review_id,
    business AS business_id,
    date AS posted_at,
    review AS text,
    rating AS stars,
    author AS guest_id,
    reply_date AS reply_at,
    CASE WHEN rating IN ('1', '2') THEN 'true' WHEN rating IN ('4', '5') THEN 'false' END AS is_negative
FROM source
