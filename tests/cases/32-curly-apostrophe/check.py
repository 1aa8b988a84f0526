"""The apostrophe of phones (U+2019) and its like.

Right: each spelling the same action, sentiment and stars as with ', probabilities within .01; `vader()` itself stays as
3.3.2 has it."""

TEXTS = [
    "The soup wasn't good and I don't like the waiter.",
    "We won't come back, the service isn't friendly.",
    "Can't complain, the pasta wasn't bad.",
]
SIGNS = {"U+2019": "\u2019", "U+2018": "\u2018", "U+02BC": "\u02bc", "U+FF07": "\uff07", "U+00B4": "\u00b4", "`": "`"}


def check(case):
    service = case.demo("restaurant")
    for number, text in enumerate(TEXTS):
        right = answer(case, service, f"case-32-{number}", text)
        for name, sign in SIGNS.items():
            got = answer(case, service, f"case-32-{number}-{name}", text.replace("'", sign))
            case.same(f"{name} in text {number}", got[1:], right[1:])
            case.holds(f"{name} in text {number}: {got[0]}, right: {right[0]}", abs(got[0] - right[0]) <= 0.01)
    # VADER knows the straight sign alone.
    case.same("vader()", case.value("SELECT vader('The soup wasn\u2019t good')['compound'] AS c"), 0.4404)


def answer(case, service, key, text):
    """(probability, action, sentiment, stars, aspects with their polarity)"""
    reply = service.post("/predict", {"review_id": key, "business_id": "b1", "posted_at": "2026-05-04T10:00:00Z", "text": text})
    case.same(f"status of {key}", reply.status, 200)
    aspects = [(aspect["aspect"], aspect["polarity"]) for aspect in reply.get("answer", "aspects") or []]
    return reply.get("prediction", "probability") or 0.0, reply.get("decision", "action"), reply.get("answer", "sentiment"), reply.get("answer", "predicted_stars"), aspects
