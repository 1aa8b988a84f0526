SELECT count(*) FILTER (WHERE purchased_on > as_of AND purchased_on <= until) > 0 AS bought
FROM purchases
GROUP BY customer_id, as_of, until
