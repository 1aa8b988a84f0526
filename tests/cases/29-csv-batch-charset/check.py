"""charset in the media type.

Right: Latin-1 and UTF-16 named as such are decoded or 415 that names the charset; an unknown charset is 415."""


def check(case):
    case.requests()
    service = case.demo()
    for file, charset in [("latin1.csv", "iso-8859-1"), ("utf16.csv", "utf-16"), ("plain.csv", "bogus")]:
        reply = service.ask("POST", "/predict/batch", (case.folder / file).read_bytes(), {"content-type": f"text/csv; charset={charset}"})
        if reply.status == 415:
            case.speaks_of(f"415 for {charset}", reply.text, charset)
        else:
            # The keys came before: decoded to the same letters or not, the row is answered, not refused.
            case.holds(f"{charset}: the row is refused", '"refused":0' in reply.text, reply.text)
