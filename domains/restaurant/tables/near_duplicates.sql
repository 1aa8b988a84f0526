-- Reviews of one business within two weeks that share most of their words: Jaccard similarity of the sets of words with
-- four letters or more, six of them at least on either side.
WITH words AS (
    SELECT DISTINCT review_id, business_id, posted_at, guest_id, word
    FROM (
        SELECT
            review_id, business_id, posted_at, guest_id,
            unnest(string_to_array(regexp_replace(lower(text), '[^a-z ]', '', 'g'), ' ')) AS word
        FROM reviews
    ) AS split
    WHERE length(word) >= 4
),

counts AS (
    SELECT review_id, count(*) AS words FROM words GROUP BY review_id HAVING count(*) >= 6
),

shared AS (
    SELECT a.business_id, a.review_id, b.review_id AS other_review_id, count(*) AS words
    FROM words AS a
    INNER JOIN words AS b
        ON a.business_id = b.business_id AND a.word = b.word AND a.review_id < b.review_id
    WHERE b.posted_at <= a.posted_at + INTERVAL '14 days' AND a.posted_at <= b.posted_at + INTERVAL '14 days'
    GROUP BY a.business_id, a.review_id, b.review_id
)

SELECT
    shared.business_id,
    shared.review_id,
    shared.other_review_id,
    CAST(shared.words AS DOUBLE PRECISION) / (a.words + b.words - shared.words) AS similarity
FROM shared
INNER JOIN counts AS a ON a.review_id = shared.review_id
INNER JOIN counts AS b ON b.review_id = shared.other_review_id
WHERE CAST(shared.words AS DOUBLE PRECISION) / (a.words + b.words - shared.words) >= 0.5
ORDER BY shared.business_id, shared.review_id, shared.other_review_id
