"""Baskets in which nothing goes with anything, and one rule that is certain.

Right: an empty list and no error where there is no rule; the certain rule with its exact figures (20 of 40 baskets hold
both: Fisher's p is 1 / C(40, 20))."""

import math

ITEMS = "generate_series(1, 40) AS s(v) CROSS JOIN (VALUES ('tea'), ('cup'), ('mug')) AS t(i)"
WITHOUT = {
    "one article a basket": "(VALUES ('1', 'tea'), ('2', 'cup'), ('3', 'tea')) AS t (basket, item)",
    "one basket": "(VALUES ('1', 'tea'), ('1', 'cup')) AS t (basket, item)",
    "no basket": "(VALUES ('1', 'tea')) AS t (basket, item) WHERE basket = '2'",
    "an article said twice": "(VALUES ('1', 'tea'), ('1', 'tea'), ('2', 'tea')) AS t (basket, item)",
    "everything in each": f"(SELECT CAST(v AS VARCHAR) AS basket, i AS item FROM {ITEMS})",
}


def check(case):
    for what, rows in WITHOUT.items():
        got = case.rows(f"SELECT association_rules(basket, item, 0.01) AS rules FROM {rows}")
        case.holds(what, [row["rules"] or [] for row in got] == [[]], got)
    half = f"{ITEMS} WHERE (v <= 20 AND i <> 'mug') OR (v > 20 AND i = 'mug')"
    rules = case.value(f"SELECT association_rules(CAST(v AS VARCHAR), i, 0.1) AS rules FROM {half}") or []
    case.same("who goes with whom", sorted((rule["antecedent"], rule["consequent"]) for rule in rules), [(["cup"], "tea"), (["tea"], "cup")])
    for rule in rules:
        case.same("figures", [rule[name] for name in ["baskets", "support", "confidence", "lift"]], [20, 0.5, 1, 2])
        case.holds("p_value", math.isclose(rule["p_value"], 1 / math.comb(40, 20), rel_tol=1e-9), rule)
