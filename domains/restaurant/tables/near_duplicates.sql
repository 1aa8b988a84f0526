-- Reviews of one business within two weeks that share most of their words: Jaccard similarity of the sets of words with
-- four letters or more, six of them at least on either side. Of two sets that share half of all their words, the rarer halves
-- have a word in common (prefix filter; Chaudhuri, Ganti & Kaushik 2006): only such pairs are counted out.
WITH words AS (
    SELECT DISTINCT review_id, business_id, posted_at, word
    FROM (
        SELECT
            review_id, business_id, posted_at,
            unnest(string_to_array(regexp_replace(lower(text), '[^a-z ]', '', 'g'), ' ')) AS word
        FROM reviews
    ) AS split
    WHERE length(word) >= 4
),

placed AS (
    SELECT
        words.*,
        count(*) OVER (PARTITION BY review_id) AS words,
        row_number() OVER (PARTITION BY review_id ORDER BY rarity.reviews, words.word) AS place
    FROM words INNER JOIN (SELECT word, count(*) AS reviews FROM words GROUP BY word) AS rarity ON rarity.word = words.word
),

kept AS (
    SELECT * FROM placed WHERE words >= 6
),

candidates AS (
    SELECT DISTINCT a.review_id, b.review_id AS other_review_id
    FROM (SELECT * FROM kept WHERE place <= words - ceil(words / 2.0) + 1) AS a
    INNER JOIN (SELECT * FROM kept WHERE place <= words - ceil(words / 2.0) + 1) AS b
        ON a.business_id = b.business_id AND a.word = b.word AND a.review_id < b.review_id
    WHERE b.posted_at <= a.posted_at + INTERVAL '14 days' AND a.posted_at <= b.posted_at + INTERVAL '14 days'
        AND a.words <= 2 * b.words AND b.words <= 2 * a.words
),

shared AS (
    SELECT
        a.business_id, candidates.review_id, candidates.other_review_id,
        count(*) AS words, min(a.words) AS own_words, min(b.words) AS other_words
    FROM candidates
    INNER JOIN kept AS a ON a.review_id = candidates.review_id
    INNER JOIN kept AS b ON b.review_id = candidates.other_review_id AND b.word = a.word
    GROUP BY a.business_id, candidates.review_id, candidates.other_review_id
)

SELECT
    business_id,
    review_id,
    other_review_id,
    CAST(words AS DOUBLE PRECISION) / (own_words + other_words - words) AS similarity
FROM shared
WHERE CAST(words AS DOUBLE PRECISION) / (own_words + other_words - words) >= 0.5
ORDER BY business_id, review_id, other_review_id
