-- What a shop's screen shows of a customer. Days count from the end of the data, or from `as_of` where orders were sent.
SELECT
    round(probability, 4) AS p_alive,
    repeat_purchases,
    recency_days,
    age_days,
    round(spend_expected, 2) AS spend_expected,
    named_struct('expected', round(purchases_30d, 3), 'low', round(purchases_30d_low, 1), 'high', round(purchases_30d_high, 1)) AS purchases_30d,
    named_struct('expected', round(purchases_90d, 3), 'low', round(purchases_90d_low, 1), 'high', round(purchases_90d_high, 1)) AS purchases_90d,
    named_struct('expected', round(purchases_365d, 3), 'low', round(purchases_365d_low, 1), 'high', round(purchases_365d_high, 1))
        AS purchases_365d,
    named_struct('expected', round(value_30d, 2), 'low', round(value_30d_low, 2), 'high', round(value_30d_high, 2)) AS value_30d,
    named_struct('expected', round(value_90d, 2), 'low', round(value_90d_low, 2), 'high', round(value_90d_high, 2)) AS value_90d,
    named_struct('expected', round(value_365d, 2), 'low', round(value_365d_low, 2), 'high', round(value_365d_high, 2))
        AS value_365d,
    named_struct(
        'expected', round(lifetime_value, 2), 'low', round(lifetime_value_low, 2), 'high', round(lifetime_value_high, 2)
    ) AS lifetime_value,
    round(next_purchase_chance, 4) AS next_purchase_chance,
    round(next_purchase_days, 1) AS next_purchase_days,
    rfm_cell,
    rfm_segment AS segment,
    next_articles AS next_basket
FROM purchase_events
