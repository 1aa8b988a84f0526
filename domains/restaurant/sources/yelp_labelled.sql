-- Sentences with a label and nothing else. Everything that the contract asks for beyond that is made up: a place for each
-- sentence, and a minute for each row from 2015-05-01 on, in the file's order.
SELECT
    'yelp-' || CAST(_row AS VARCHAR) AS review_id,
    'yelp-' || CAST(_row AS VARCHAR) AS business_id,
    to_timestamp(1430438400 + 60 * _row) AS posted_at,
    sentence AS text,
    CAST(NULL AS VARCHAR) AS stars,
    CAST(NULL AS VARCHAR) AS guest_id,
    CAST(NULL AS VARCHAR) AS reply_at,
    CASE is_favourable WHEN '0' THEN 'true' WHEN '1' THEN 'false' END AS is_negative
FROM source
