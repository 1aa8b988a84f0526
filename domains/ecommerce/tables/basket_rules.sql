-- What is bought together more often than chance would have it: rules of one or two articles and a third, at a false discovery
-- rate of .05. Large baskets are left out: in one of a hundred articles everything goes with everything (with articles
-- shuffled among UCI's invoices all rules passed; among those of up to forty articles 1 of 14).
SELECT
    rule['antecedent'][1] AS item,
    rule['antecedent'][2] AS second_item,
    rule['consequent'] AS consequent,
    rule['baskets'] AS baskets,
    rule['support'] AS support,
    rule['confidence'] AS confidence,
    rule['lift'] AS lift,
    rule['q_value'] AS q_value
FROM (
    SELECT unnest(association_rules(invoice_id, sku, 0.006)) AS rule
    FROM (SELECT invoice_id, sku, count(*) OVER (PARTITION BY invoice_id) AS articles FROM baskets) AS sized
    WHERE articles <= 40
) AS rules
