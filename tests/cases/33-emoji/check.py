"""Emoji and letters that nobody sees.

Right: `vader()` as VADER 3.3.2 scores them (values made with vaderSentiment 3.3.2); twenty thousand emoji are answered
within seconds; quotes of aspects begin and end at the borders of letters."""

import time

# text: (neg, neu, pos, compound)
RIGHT = {
    "The food was great! 😋": (0.0, 0.577, 0.423, 0.6588),
    "😡😡😡": (0.0, 1.0, 0.0, 0.0),
    "I love it ❤️": (0.0, 0.488, 0.512, 0.6369),
    "meh 🙂": (0.216, 0.333, 0.451, 0.3415),
    "👍🏽 good": (0.0, 0.633, 0.367, 0.4404),
    "👨\u200d👩\u200d👧 nice place": (0.0, 0.588, 0.412, 0.4215),
    "so\u200bgood": (0.0, 1.0, 0.0, 0.0),
    "good\u00a0food": (0.0, 0.256, 0.744, 0.4404),
    "I\u00adlove it": (0.0, 1.0, 0.0, 0.0),
    "\u202egood": (0.0, 1.0, 0.0, 0.0),
    "": (0.0, 0.0, 0.0, 0.0),
    ".": (0.0, 1.0, 0.0, 0.0),
    "ＧＲＥＡＴ": (0.0, 1.0, 0.0, 0.0),
    "c\u0327a va bien": (0.0, 1.0, 0.0, 0.0),
    "GREAT food 🤮": (0.0, 0.383, 0.617, 0.7034),
    "🇩🇪 fine": (0.0, 0.357, 0.643, 0.2023),
    "not good 😀": (0.693, 0.307, 0.0, -0.5448),
    "bad\ufeff food": (0.0, 1.0, 0.0, 0.0),
    "😀" * 50: (0.0, 0.286, 0.714, 0.9987),
}
LONG_SECONDS_MAX = 5


def check(case):
    query = " UNION ALL ".join(f"SELECT {place} AS place, vader('{text}') AS v" for place, text in enumerate(RIGHT))
    got = {row["place"]: row["v"] for row in case.rows(f"SELECT * FROM ({query}) ORDER BY place")}
    for place, (text, right) in enumerate(RIGHT.items()):
        scores = got.get(place, {})
        case.same(f"vader('{text[:20]}')", tuple(scores.get(name) for name in ["neg", "neu", "pos", "compound"]), right)
    service = case.demo("restaurant")
    text = "Das Café 😋 had a lovely soup 🍲, but the waiter 😡 was rude 👎🏽 and the bill too high €€€."
    reply = review(service, "case-33-quotes", text)
    aspects = reply.get("answer", "aspects") or []
    case.holds("no aspect of soup, waiter and bill is found", len(aspects) >= 2, reply.text)
    for aspect in aspects:
        quote = text.encode()[aspect["start"] : aspect["end"]].decode("utf-8", "replace")
        case.same("a quote", aspect["quote"], quote)
    begin = time.monotonic()
    case.same("20,000 emoji", review(service, "case-33-long", "😀" * 20_000).status, 200)
    case.holds(f"20,000 emoji take {time.monotonic() - begin:.1f} s", time.monotonic() - begin < LONG_SECONDS_MAX)


def review(service, key, text):
    return service.post("/predict", {"review_id": key, "business_id": "b1", "posted_at": "2026-05-04T10:00:00Z", "text": text})
