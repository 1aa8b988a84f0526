-- Every review with VADER's scores; the other tables read them here, so that each text is scored once.
SELECT
    review_id,
    business_id,
    posted_at,
    stars,
    scores['neg'] AS negative,
    scores['neu'] AS neutral,
    scores['pos'] AS positive,
    scores['compound'] AS compound,
    CASE WHEN scores['compound'] >= 0.05 THEN 'positive' WHEN scores['compound'] <= -0.05 THEN 'negative' ELSE 'neutral' END
        AS sentiment
FROM (SELECT review_id, business_id, posted_at, stars, vader(plain_quotes(text)) AS scores FROM reviews) AS scored
