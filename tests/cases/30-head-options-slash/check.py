"""HEAD, OPTIONS, methods that an address does not take, and a slash too many.

Right: HEAD says what GET says, without a body; a wrong method is 405 with Allow; an address that is none is 404 whatever
the method."""


def check(case):
    service = case.demo()
    for path in ["/readyz", "/openapi.json", "/metrics"]:
        got, head = service.ask("GET", path), service.ask("HEAD", path)
        case.same(f"HEAD {path}", (head.status, head.headers.get("content-type"), head.text), (got.status, got.headers.get("content-type"), ""))
    for method, path in [("GET", "/predict"), ("HEAD", "/predict"), ("OPTIONS", "/predict"), ("PUT", "/predict"), ("DELETE", "/predict/batch"), ("PATCH", "/feedback")]:
        reply = service.ask(method, path)
        case.same(f"{method} {path}", (reply.status, reply.headers.get("allow")), (405, "POST"))
    reply = service.ask("POST", "/readyz", "")
    case.same("POST /readyz", reply.status, 405)
    case.holds("POST /readyz: Allow", "GET" in (reply.headers.get("allow") or ""), dict(reply.headers))
    for method, path in [("GET", "/predict/"), ("POST", "/predict/"), ("GET", "//readyz"), ("HEAD", "/nothing"), ("OPTIONS", "/nothing")]:
        case.same(f"{method} {path}", service.ask(method, path).status, 404)
