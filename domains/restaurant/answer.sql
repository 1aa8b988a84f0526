-- What a manager's screen shows.
SELECT
    CASE WHEN probability <= 0.4 THEN 'positive' WHEN probability >= 0.6 THEN 'negative' ELSE 'mixed' END AS sentiment,
    round(predicted_stars, 1) AS predicted_stars,
    vader_compound,
    aspects(text) AS aspects,
    action = 'look_now' AS look_now,
    stars IS NOT NULL AND abs(stars - predicted_stars) >= 2.5 AS stars_and_text_disagree
FROM reviews
