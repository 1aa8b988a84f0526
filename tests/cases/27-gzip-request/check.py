"""Content-Encoding of requests.

Right: 200 unpacked, or 415 with Accept-Encoding; 415 for a coding nobody knows."""


def check(case):
    case.requests()
    service = case.demo()
    for file, path, kind in [("one.json.gz", "/predict", "json"), ("three.ndjson.gz", "/predict/batch", "x-ndjson")]:
        headers = {"content-type": f"application/{kind}", "content-encoding": "gzip"}
        reply = service.ask("POST", path, (case.folder / file).read_bytes(), headers)
        if reply.status == 415:
            case.holds(f"{file}: no Accept-Encoding", reply.headers.get("accept-encoding"), dict(reply.headers))
        elif kind == "x-ndjson":
            summary = [line for line in reply.text.splitlines() if '"summary"' in line]
            case.holds(f"{file}: not all rows are read", summary and '"rows":3' in summary[0] and '"refused":0' in summary[0], reply.text[-300:])
