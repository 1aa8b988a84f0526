"""As much of PostgreSQL's protocol as a case needs: log in without a password, run a statement, read no rows."""

import socket
import struct
import urllib.parse


class Postgres:
    """Source: PostgreSQL 16, chapter 55, "Frontend/Backend Protocol" (version 3.0)."""

    def __init__(self, url):
        place = urllib.parse.urlparse(url)
        self.socket = socket.create_connection((place.hostname, place.port or 5432), 30)
        words = ["user", place.username or "postgres", "database", place.path.lstrip("/")]
        body = struct.pack("!i", 196608) + b"".join(word.encode() + b"\0" for word in words) + b"\0"
        self.socket.sendall(struct.pack("!i", len(body) + 4) + body)
        self.until_ready()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def run(self, statement):
        body = statement.encode() + b"\0"
        self.socket.sendall(b"Q" + struct.pack("!i", len(body) + 4) + body)
        self.until_ready()

    def until_ready(self):
        """Reads messages until the server waits for a query (Z); an error (E) is raised after it."""
        error = None
        while True:
            kind, length = struct.unpack("!ci", self.exactly(5))
            body = self.exactly(length - 4)
            if kind == b"R" and struct.unpack("!i", body[:4])[0] != 0:
                raise RuntimeError("PostgreSQL asks for a password: give a server that trusts loopback")
            if kind == b"E":
                error = body.replace(b"\0", b" ").decode("utf-8", "replace")
            # An error before the first Z ends the session.
            if kind == b"Z" or (kind == b"E" and b"FATAL" in body):
                break
        if error:
            raise RuntimeError(f"PostgreSQL: {error}")

    def exactly(self, count):
        got = b""
        while len(got) < count:
            part = self.socket.recv(count - len(got))
            if not part:
                raise RuntimeError("PostgreSQL closed the connection")
            got += part
        return got
