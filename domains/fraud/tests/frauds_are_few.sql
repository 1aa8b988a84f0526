-- Most payments are no fraud: a share above a half means that the source's label says the opposite.
SELECT count(*) AS payments, avg(CASE WHEN is_fraud THEN 1.0 ELSE 0.0 END) AS fraud_share
FROM payments
WHERE is_fraud IS NOT NULL
HAVING count(*) >= 1000 AND avg(CASE WHEN is_fraud THEN 1.0 ELSE 0.0 END) > 0.5
