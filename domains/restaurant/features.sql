-- The words, and what VADER makes of them. The stars are where the label comes from and must not be read here.
SELECT
    text,
    vader(text)['neg'] AS vader_negative,
    vader(text)['pos'] AS vader_positive,
    vader(text)['compound'] AS vader_compound
FROM reviews
