-- What a manager's screen shows. The stars are those that usually go with such a probability, on a straight line from 5 to 1.
SELECT
    CASE WHEN probability <= 0.4 THEN 'positive' WHEN probability >= 0.6 THEN 'negative' ELSE 'mixed' END AS sentiment,
    round(5 - 4 * probability, 1) AS predicted_stars,
    vader(text)['compound'] AS vader_compound,
    aspects(text) AS aspects,
    action = 'look_now' AS look_now,
    stars IS NOT NULL AND abs(stars - (5 - 4 * probability)) >= 2.5 AS stars_and_text_disagree
FROM reviews
