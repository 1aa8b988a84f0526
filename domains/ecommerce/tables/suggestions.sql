-- Up to three articles for each customer's next basket: what goes with what they bought and they have not bought yet, the
-- likeliest first. Who bought nothing that a rule knows has no row.
WITH bought AS (
    SELECT DISTINCT customer_id, sku FROM lines WHERE counts_for_customers AND quantity > 0
),

told AS (
    SELECT bought.customer_id, rules.consequent, max(rules.confidence) AS confidence, max(rules.lift) AS lift
    FROM bought
    INNER JOIN basket_rules AS rules ON rules.item = bought.sku
    LEFT JOIN bought AS second ON second.customer_id = bought.customer_id AND second.sku = rules.second_item
    WHERE rules.second_item IS NULL OR second.sku IS NOT NULL
    GROUP BY bought.customer_id, rules.consequent
),

ranked AS (
    SELECT
        told.customer_id, told.consequent,
        row_number() OVER (
            PARTITION BY told.customer_id ORDER BY told.confidence DESC, told.lift DESC, told.consequent
        ) AS place
    FROM told
    LEFT JOIN bought AS own ON own.customer_id = told.customer_id AND own.sku = told.consequent
    WHERE own.sku IS NULL
)

SELECT customer_id, array_agg(consequent ORDER BY place) AS articles
FROM ranked
WHERE place <= 3
GROUP BY customer_id
ORDER BY customer_id
