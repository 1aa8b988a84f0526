-- What is bought together beyond chance, strongest first
SELECT item, second_item, consequent, baskets, round(confidence, 3) AS confidence, round(lift, 1) AS lift, q_value
FROM basket_rules
ORDER BY lift DESC, item, consequent
LIMIT 15
