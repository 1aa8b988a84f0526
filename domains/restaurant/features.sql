-- The words, and what VADER makes of them. The stars are where the label comes from and must not be read here.
SELECT
    text,
    vader(plain_quotes(text))['neg'] AS vader_negative,
    vader(plain_quotes(text))['pos'] AS vader_positive,
    vader(plain_quotes(text))['compound'] AS vader_compound
FROM reviews
