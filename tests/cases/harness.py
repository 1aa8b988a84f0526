"""What a case may do: run the program in a home of its own, ask a service, and say what is right.

A check that fails is noted and the case goes on, so that one run shows everything that differs."""

import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# Ports of the domains, as domain.toml says them; SEPTET_PORT_OFFSET moves them all.
PORTS = {"fraud": 8001, "ecommerce": 8002, "restaurant": 8006}
HUB_PORT = 8000
COMMAND_SECONDS_MAX = 120
READY_SECONDS_MAX = 30
# How much of a text is shown where it is not the right one.
SHOWN_LETTERS = 300


class Done:
    """A command that has ended."""

    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err

    @property
    def text(self):
        return self.err + self.out

    @property
    def lines(self):
        """Standard output as JSON, one value a line."""
        return [json.loads(line) for line in self.out.splitlines() if line.strip()]

    @property
    def message(self):
        """The last line of standard error, or that it went well."""
        return (self.err.strip().splitlines() or [f"exit code {self.code}, no message"])[-1]


class Reply:
    """What a service answered."""

    def __init__(self, status, headers, text):
        self.status, self.headers, self.text = status, headers, text

    @property
    def json(self):
        try:
            return json.loads(self.text)
        except ValueError:
            return {}

    def get(self, *path):
        """A value inside the body, None where there is none."""
        value = self.json
        for step in path:
            try:
                value = value[step]
            except (KeyError, IndexError, TypeError):
                return None
        return value

    @property
    def pointers(self):
        return [error.get("pointer") for error in self.get("errors") or []]


class Septet:
    """The program over one home."""

    def __init__(self, binary, home, domains=None):
        self.binary, self.home, self.domains = binary, Path(home), domains
        self.home.mkdir(parents=True, exist_ok=True)

    def environment(self, more):
        """Nothing of the developer's own settings reaches the program. Cases run beside each other: one thread each."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("SEPTET_") and name != "DATABASE_URL"}
        return {**kept, "SEPTET_THREADS": "1", **more}

    def words(self, words):
        domains = ["--domains", str(self.domains)] if self.domains else []
        return [str(self.binary), "--home", str(self.home), *domains, *[str(word) for word in words]]

    def __call__(self, *words, folder):
        done = subprocess.run(
            self.words(words), cwd=folder, env=self.environment({}), stdin=subprocess.DEVNULL, capture_output=True, timeout=COMMAND_SECONDS_MAX
        )
        return Done(done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace"))

    def serve(self, domain):
        return Service(self, domain)


def free_offset():
    """An offset under which the hub's port and every domain's are free at this moment."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            offset = probe.getsockname()[1] - HUB_PORT
        try:
            for port in (HUB_PORT, *PORTS.values()):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port + offset))
            return offset
        except OSError:
            continue


class Service:
    """`septet serve DOMAIN`, asked over HTTP on loopback; ends with the `with` block."""

    def __init__(self, septet, domain):
        offset = free_offset()
        self.septet = septet
        self.port, self.log = PORTS[domain] + offset, septet.home / f"serve-{domain}.log"
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                septet.words(["serve", domain]),
                env=septet.environment({"SEPTET_PORT_OFFSET": str(offset)}),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def wait_until_ready(self):
        """True when it is ready; False when it has ended or the time is over. A case then says what came instead."""
        end = time.time() + READY_SECONDS_MAX
        while time.time() < end and self.process.poll() is None:
            try:
                if self.ask("GET", "/readyz").status == 200:
                    return True
            except OSError:
                pass
            time.sleep(0.05)
        return False

    def said(self):
        """The end of its log."""
        return self.log.read_text(errors="replace")[-SHOWN_LETTERS:]

    def ask(self, method, path, body=None, headers=()):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            body = body.encode("utf-8", "surrogatepass") if isinstance(body, str) else body
            connection.request(method, path, body, dict(headers))
            reply = connection.getresponse()
            return Reply(reply.status, reply.headers, reply.read().decode("utf-8", "replace"))
        finally:
            connection.close()

    def post(self, path, event, **headers):
        """A JSON request: a text is sent as it is."""
        body = event if isinstance(event, (str, bytes)) else json.dumps(event)
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.ask("POST", path, body, {"content-type": "application/json", **names})


class Demos:
    """One home with a champion of each domain that is asked for, made once, and its services."""

    def __init__(self, binary, folder):
        self.septet, self.folder = Septet(binary, Path(folder) / "demo"), folder
        self.services, self.lock = {}, threading.Lock()

    def service(self, domain):
        with self.lock:
            if domain not in self.services:
                made = self.septet("run", domain, "--small", "--no-monitor", folder=self.folder)
                if made.code != 0:
                    raise RuntimeError(f"no demo of {domain}: {made.message}")
                self.promote(domain)
                service = self.services[domain] = self.septet.serve(domain)
                if not service.wait_until_ready():
                    raise RuntimeError(f"the demo service of {domain} is not ready: {service.said()}")
            return self.services[domain]

    def promote(self, domain):
        """The small demo proves too little to become champion by itself."""
        models = self.septet("models", domain, "--json", folder=self.folder).lines[-1]
        if not models["champion"]:
            version = models["versions"][0]["version"]
            self.septet("models", domain, "promote", version, "--anyway", "--why", "the cases need an answer", folder=self.folder)

    def stop(self):
        for service in self.services.values():
            service.stop()


class Skipped(Exception):
    """The case needs something that is not here."""


class Case:
    """One folder of tests/cases while it runs."""

    def __init__(self, folder, binary, demos):
        self.inputs, self.binary, self.demos = Path(folder), binary, demos
        self.folder = Path(tempfile.mkdtemp(prefix=f"septet-case-{self.inputs.name[:3]}"))
        # Names of files stand in messages: the inputs lie where the program runs, and a case may add to them.
        for source in self.inputs.iterdir():
            if source.is_file() and source.name != "check.py":
                shutil.copy(source, self.folder / source.name)
        self.septet_at_home = Septet(binary, self.folder / "home")
        self.differences = []

    @property
    def home(self):
        return self.septet_at_home.home

    def remove(self):
        shutil.rmtree(self.folder, ignore_errors=True)

    # What is right.

    def note(self, what):
        what = what.replace(str(self.folder), "TMP")
        self.differences.append("".join(letter if letter.isprintable() else " " for letter in what))

    def same(self, what, got, right):
        if got != right:
            self.note(f"{what}: {shown(got)}, right: {shown(right)}")

    def holds(self, what, condition, got=""):
        if not condition:
            self.note(f"{what}: {shown(got)}")
        return bool(condition)

    def speaks_of(self, what, text, *words):
        """Each word (a regular expression, any case) stands in the text."""
        for word in words:
            self.holds(f"{what}: says nothing of `{word}`", re.search(word, text, re.IGNORECASE), text)

    def went_well(self, what, done):
        return self.holds(f"{what}: exit code {done.code}", done.code == 0, done.message)

    def failed(self, what, done, *words):
        """It ended with exit code 1 and a message that holds each word; a panic is no message."""
        self.holds(f"{what}: exit code {done.code}, right: 1", done.code == 1, done.message)
        self.holds(f"{what}: panicked", "panicked" not in done.text, done.message)
        self.speaks_of(what, done.err, *words)

    # What can be done.

    def septet(self, *words):
        return self.septet_at_home(*words, folder=self.folder)

    def write(self, name, text):
        (self.folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
        return name

    def new_home(self):
        """What came before is forgotten."""
        shutil.rmtree(self.home)
        self.home.mkdir()

    def extract(self, source, layout="demo", run="t", domain="fraud"):
        return self.septet("step", domain, "extract", "--run", run, "--source", source, "--layout", layout, "--json")

    def counts(self, what, done, right):
        """(in, out, quarantined) of an extract step that went well."""
        if self.went_well(what, done):
            step = done.lines[-1]
            self.same(f"{what}: rows in, out, quarantined", (step["rows_in"], step["rows_out"], step["quarantined"]), right)

    def rows(self, query, *words):
        """The rows of a query, as dictionaries; a query that fails is a difference and has none."""
        done = self.septet("sql", *words, query, "--json")
        return done.lines if self.went_well(query, done) else []

    def value(self, query, *words):
        """The single value of a query."""
        rows = self.rows(query, *words)
        return next(iter(rows[0].values()), None) if rows else None

    def table(self, name, run="t", domain="fraud"):
        """A table of a run, to be queried: FROM {...}."""
        return f"'{self.home}/runs/{domain}/{run}/tables/{name}.parquet'"

    def quarantine(self, run="t", domain="fraud"):
        """What a run quarantined, whether it passed or failed."""
        return self.rows('SELECT "row", "column", value, reason, message FROM quarantine ORDER BY "row"', domain, "--run", run)

    def domain(self, name, change=lambda text: text, drop=(), add=()):
        """A copy of a domain with its domain.toml changed; from then on the case's commands use it."""
        folder = self.folder / "domains"
        shutil.copytree(ROOT / "domains" / name, folder / name)
        toml = folder / name / "domain.toml"
        toml.write_text(change(toml.read_text()))
        for part in drop:
            shutil.rmtree(folder / name / part)
        for path, text in dict(add).items():
            (folder / name / path).write_text(text)
        self.septet_at_home.domains = folder

    def easily_promoted(self):
        """A copy of the fraud domain whose versions become champion on a few rows: how good a model is, is no question here."""

        def change(text):
            text = re.sub(r"(?m)^baselines = .*", 'baselines = ["prior"]', text)
            text = re.sub(r"(?m)^flags_per_day = 100$", "flags_per_day = 3", text)
            text = re.sub(r"(?m)^flags_per_day = 300$", "flags_per_day = 6", text)
            gates = "calibration_error_max = 0.5\nbudget_off_max = 100.0\n"
            return re.sub(r"(?m)^budget_off_max = .*\n", gates, text)

        self.domain("fraud", change, drop=["cases"])

    def layout(self, name, settings, domain="fraud", change=lambda text: text):
        """A copy of a domain with one layout more."""
        self.domain(domain, lambda text: f"{change(text)}\n[layout.{name}]\n{settings}\n", add={f"sources/{name}.sql": demo_select(domain)})

    def run(self, source, *words, layout="all.sql", domain="fraud"):
        return self.septet("run", domain, "--source", source, "--layout", layout, "--no-monitor", "--json", *words)

    def manifest(self, version, domain="fraud"):
        return json.loads((self.home / "models" / domain / version / "manifest.json").read_text())

    def champion(self, domain="fraud"):
        """The manifest of the version that answers, or None."""
        models = self.septet("models", domain, "--json")
        version = models.lines[-1]["champion"] if models.code == 0 else None
        return self.manifest(version, domain) if version else None

    def history(self):
        """5,200 payments of 130 days, sound: `history.csv.gz`, which several cases need."""
        shutil.copy(self.inputs.parent / "history.csv.gz", self.folder)

    def serve(self, domain="fraud"):
        return self.septet_at_home.serve(domain)

    def demo(self, domain="fraud"):
        """The service that all cases share: keys must be the case's own."""
        return self.demos.service(domain)

    def logged(self, service, key_prefix, domain="fraud"):
        """Features by name of what a service answered, by key."""
        query = f"SELECT key, version, features FROM decisions WHERE key LIKE '{key_prefix}%'"
        done = service.septet("sql", domain, query, "--json", folder=self.folder)
        rows = done.lines if self.went_well(query, done) else []
        return {row["key"]: named_features(service.septet.home, domain, row) for row in rows}

    def requests(self, file="request.json", domain="fraud"):
        """Sends the steps of a file to the shared service and notes what differs from what each expects."""
        service, ids = self.demo(domain), {}
        for number, step in enumerate(json.loads((self.folder / file).read_text())["steps"]):
            body = (self.folder / step["body_file"]).read_bytes() if "body_file" in step else step["body"]
            reply = service.ask(step["method"], step["path"], body, step["headers"])
            ids[number] = reply.get("request_id")
            wrong = unlike(reply, step["expect"])
            same = step["expect"].get("same_request_id_as")
            if same is not None and (ids[number] is None or ids[number] != ids[same]):
                wrong.append(f"request_id {ids[number]}, right: {ids[same]}")
            if wrong:
                self.note(f"{step['what']}: {'; '.join(wrong)}; {shown(reply.text)}")


def unlike(reply, expect):
    """How a reply differs from what a step of a request.json expects."""
    statuses, wrong = expect["status"], []
    if reply.status not in (statuses if isinstance(statuses, list) else [statuses]):
        wrong.append(f"status {reply.status}, right: {statuses}")
    if "code" in expect and reply.status >= 400 and reply.get("code") != expect["code"]:
        wrong.append(f"code {reply.get('code')}, right: {expect['code']}")
    for name, value in expect.get("header", {}).items():
        if reply.headers.get(name) != value:
            wrong.append(f"header {name}: {reply.headers.get(name)}, right: {value}")
    wrong += [f"body lacks {text}" for text in expect.get("in_body", []) if text not in reply.text]
    wrong += [f"body holds {text}" for text in expect.get("not_in_body", []) if text in reply.text]
    return wrong


def named_features(home, domain, row):
    """The features of a row of `decisions`, by name."""
    manifest = json.loads((home / "models" / domain / row["version"] / "manifest.json").read_text())
    values = row["features"] if isinstance(row["features"], list) else json.loads(row["features"])
    return dict(zip([feature["name"] for feature in manifest["features"]], values, strict=True))


def shown(value):
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=sorted)
    text = re.sub(r"\s+", " ", text.strip())
    return text if len(text) <= SHOWN_LETTERS else text[:SHOWN_LETTERS] + "..."


def demo_select(domain):
    """The SELECT of a domain's demo layout."""
    return (ROOT / "domains" / domain / "sources" / "demo.sql").read_text()
