-- What a cashier's screen or a review queue shows beside the decision.
SELECT
    round(amount * probability, 2) AS expected_loss_eur,
    CASE WHEN probability >= 0.5 THEN 'high' WHEN probability >= 0.05 THEN 'medium' ELSE 'low' END AS risk
FROM payments
