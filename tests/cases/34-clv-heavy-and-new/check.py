"""Customers at the ends: who buys every day, who did and stopped, who bought once, who bought today.

Right: no overflow and nothing that is no number; the heavy buyer is alive and expected about daily, who fell silent is
gone, and who bought once is alive for certain, as BG/NBD has it (Fader, Hardie & Lee 2005)."""

import math


def check(case):
    service = case.demo("ecommerce")
    heavy = ask(case, service, {"frequency": 690, "recency": 699, "T": 700, "monetary": 10})
    case.holds("heavy: alive", heavy["p_alive"] > 0.95, heavy["p_alive"])
    expected = heavy["purchases_30d"]["expected"]
    case.holds("heavy: purchases in 30 days", 20 < expected <= 31, expected)
    silent = ask(case, service, {"frequency": 90, "recency": 100, "T": 700, "monetary": 10})
    case.holds("fell silent: alive", silent["p_alive"] < 0.001, silent["p_alive"])
    case.holds("fell silent: purchases in a year", silent["purchases_365d"]["expected"] < 0.1, silent["purchases_365d"])
    once = ask(case, service, {"orders": [{"at": "2024-01-01", "value": 10}], "as_of": "2025-12-01"})
    case.same("once: (repeats, recency, age, alive)", (once["repeat_purchases"], once["recency_days"], once["age_days"], once["p_alive"]), (0, 0, 700, 1.0))
    today = ask(case, service, {"frequency": 0, "recency": 0, "T": 0})
    case.same("today: alive", today["p_alive"], 1.0)


def ask(case, service, event):
    reply = service.post("/predict", event)
    case.same(f"status of {event}", reply.status, 200)
    answer = reply.get("answer")
    for name, value in answer.items():
        numbers = value.values() if isinstance(value, dict) else [value]
        case.holds(f"{name} of {event}", all(math.isfinite(number) and number >= 0 for number in numbers if isinstance(number, (int, float))), value)
    return answer
