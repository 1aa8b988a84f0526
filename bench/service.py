"""Our service, two Python peers and the floor of any JSON service in turn (A B C D A B C D), under the same load on one machine.

Ours is sent raw payments and keeps their windows itself; the peers are sent features that someone else has computed; the
floor sends back what it gets. Prints a table and never passes or fails on time. Exit 1 only if a server did not answer
every request with 200, did not hold the fixed rate, or ran out of requests early.
Standard library only, Python 3.11 or later, Linux; the peers get an environment in .tools/bench.
"""

import argparse
import contextlib
import dataclasses
import http.client
import os
import pathlib
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

from compare import BENCH, ROOT, describe_machine, last_object, peer_environment, prepare_environment

ROUNDS = 3
SATURATION = {"connections": 256, "seconds": 5, "warmup-seconds": 1}
RATE = 1_000
STEADY = {"connections": 16, "seconds": 20, "warmup-seconds": 3, "rate": RATE}
RATE_HELD_MIN = 0.99
# A convention: with less of the time at saturation, start-up effects weigh too much.
MEASURED_SHARE_MIN = 0.5
# Where the newest test week of bench/domains ends: what was learned from lies before, what is asked comes after.
CUT = "2018-09-05"
# As `peer_service.py` describes them.
PEERS = ("tuned", "plain")
OURS_PORT, PEER_PORT, FLOOR_PORT = 8001, 8108, 8109
READY_SECONDS_MAX = 120
STOP_SECONDS_MAX = 15
# Six minutes when all goes well, and a training run where there is no champion yet.
SECONDS_MAX = 1_800


def main():
    arguments = parse_arguments()
    stop_when_told()
    signal.alarm(SECONDS_MAX)
    describe_machine(None if arguments.skip_ours else arguments.septet)
    python = prepare_environment("requirements.txt", "requirements_service.txt")
    with tempfile.TemporaryDirectory() as folder:
        servers = prepare_servers(arguments, python, pathlib.Path(folder))
        measured = measure(servers, arguments.load, arguments.rounds)
    print_table(measured, arguments.rounds)
    complaints = [complaint for each in measured.values() for complaint in each.complaints]
    print("".join(f"  NOT comparable: {complaint}\n" for complaint in complaints), end="")
    return 1 if complaints else 0


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_paths(parser)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--skip-ours", action="store_true")
    parser.add_argument("--skip-peer", action="store_true")
    arguments = parser.parse_args()
    complete_paths(parser, arguments, ours=not arguments.skip_ours)
    return arguments


def add_paths(parser):
    """Of our program, the generator and what both are given."""
    built = ROOT / "target" / "release" / "septet"
    tools = BENCH / "load" / "target" / "release"
    parser.add_argument("--septet", type=pathlib.Path, default=built, help="default: target/release/septet")
    parser.add_argument("--load", type=pathlib.Path, default=tools / "load", help="the generator, with `floor` beside it")
    parser.add_argument("--home", type=pathlib.Path, help=f"with a champion trained on payments before {CUT}, or empty")
    parser.add_argument("--domains", type=pathlib.Path, default=BENCH / "domains", help="default: bench/domains")
    parser.add_argument("--data", type=pathlib.Path, help="default: $SEPTET_DATA, else ../shared/data")


def complete_paths(parser, arguments, ours=True):
    """Fills in the source and the floor; ends with a hint if something is not there."""
    data = arguments.data or pathlib.Path(os.environ.get("SEPTET_DATA") or ROOT.parent / "shared" / "data")
    arguments.source = data / "fraud" / "handbook_transactions.parquet"
    arguments.floor = arguments.load.parent / "floor"
    build = "cargo build --release --manifest-path bench/load/Cargo.toml"
    needed = [(arguments.source, "give --data"), (arguments.load, build), (arguments.floor, build)]
    if ours:
        needed.append((arguments.septet, "build it, or give --septet"))
        if not arguments.home:
            parser.error("give --home DIR; it is trained in if it holds no champion")
    for path, hint in needed:
        if not path.exists():
            parser.error(f"there is no `{path}`: {hint}")
    for name in ("septet", "load", "floor", "domains", "source", "home"):
        setattr(arguments, name, getattr(arguments, name) and getattr(arguments, name).resolve())


def stop_when_told():
    """As an exception, so that every server that was started is stopped on the way out."""

    def stop(number, _frame):
        raise SystemExit(f"stopped by {signal.Signals(number).name}")

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGALRM, stop)
    signal.alarm(SECONDS_MAX)


@dataclasses.dataclass
class Server:
    """`home` is copied for each start and given with --home, so that no round finds what another has logged."""

    port: int
    command: list
    bodies: pathlib.Path
    # A body may come twice: the server keeps nothing.
    repeat: bool = True
    environment: dict | None = None
    home: pathlib.Path | None = None


def prepare_servers(arguments, python, folder):
    environment = peer_environment()
    servers = {}
    if not arguments.skip_ours:
        servers["ours"] = prepare_ours(arguments, python, environment, folder)
    given = ["--source", arguments.source, "--out", folder]
    last_object([python, BENCH / "peer_service_train.py", *given], environment)
    features = folder / "bodies.ndjson"
    if not arguments.skip_peer:
        found = environment | {"PEER_SERVICE_MODEL": str(folder / "model.json")}
        for name in PEERS:
            servers[name] = Server(PEER_PORT, peer_command(python, name), features, environment=found)
    # What ours is sent, where ours is there to compare with: a shorter body is parsed sooner.
    same = servers["ours"].bodies if "ours" in servers else features
    servers["floor"] = Server(FLOOR_PORT, [arguments.floor, "--port", FLOOR_PORT], same)
    return servers


def peer_command(python, name):
    command = [python, "-m", "uvicorn", f"peer_service:{name}", "--factory", "--app-dir", BENCH]
    where = ["--host", "127.0.0.1", "--port", PEER_PORT]
    return [*command, *where, "--workers", os.cpu_count(), "--no-access-log", "--log-level", "warning"]


def prepare_ours(arguments, python, environment, folder):
    payments, history = folder / "payments.ndjson", folder / "history.parquet"
    given = ["--source", arguments.source, "--cut", CUT, "--out", payments, "--history", history]
    last_object([python, BENCH / "bodies.py", *given], environment)
    where = ["--domains", arguments.domains, "--home", arguments.home]
    if not last_object([arguments.septet, "models", "fraud", *where, "--json"], None)["champion"]:
        print(f"training a champion on the payments before {CUT} in {arguments.home}")
        source = ["--source", history, "--layout", "fraud_handbook"]
        last_object([arguments.septet, "run", "fraud", *where, *source, "--json"], None)
    command = [arguments.septet, "serve", "fraud", "--domains", arguments.domains]
    return Server(OURS_PORT, command, payments, repeat=False, home=arguments.home)


@dataclasses.dataclass
class Measured:
    """Of one server, a value a round (start-up: two)."""

    start_up_seconds: list = dataclasses.field(default_factory=list)
    saturation: list = dataclasses.field(default_factory=list)
    steady: list = dataclasses.field(default_factory=list)
    memory_bytes: list = dataclasses.field(default_factory=list)
    processor_us: list = dataclasses.field(default_factory=list)
    complaints: list = dataclasses.field(default_factory=list)


def measure(servers, load, rounds):
    """Never two servers at once, and each part from a fresh start."""
    measured = {name: Measured() for name in servers}
    for _ in range(rounds):
        for name, server in servers.items():
            measure_saturation(server, load, measured[name], name)
    for _ in range(rounds):
        for name, server in servers.items():
            measure_steady(server, load, measured[name], name)
    return measured


def measure_saturation(server, load, measured, name):
    with running(server) as (_, seconds):
        measured.start_up_seconds.append(seconds)
        report = drive(server, load, ["--saturate"], SATURATION)
    measured.saturation.append(report)
    measured.complaints += complaints_of(report, f"{name} at saturation")
    if report["seconds"] < MEASURED_SHARE_MIN * SATURATION["seconds"]:
        used = f"{report['bodies_used']:,} bodies were used up"
        measured.complaints.append(f"{name} at saturation was measured for {report['seconds']:.1f} s only: {used}")


def measure_steady(server, load, measured, name):
    with running(server) as (group, seconds):
        measured.start_up_seconds.append(seconds)
        before = usage(group)
        report = drive(server, load, [], STEADY)
        after = usage(group)
    measured.steady.append(report)
    measured.memory_bytes.append(after.memory_bytes)
    measured.processor_us.append((after.processor_seconds - before.processor_seconds) / report["bodies_used"] * 1e6)
    measured.complaints += complaints_of(report, f"{name} at {RATE:,}/s")
    if report["requests_per_second"] < RATE_HELD_MIN * RATE:
        measured.complaints.append(f"{name} answered {report['requests_per_second']:,.0f} of {RATE:,} requests/s")


def drive(server, load, words, settings):
    """The generator stops by itself."""
    command = [load, "--address", f"127.0.0.1:{server.port}", "--bodies", server.bodies, *words]
    command += [f"--{name}={value}" for name, value in settings.items()] + ["--repeat"] * server.repeat
    with interrupting_nobody() if "--saturate" in words else contextlib.nullcontext():
        return last_object(command, None)


@contextlib.contextmanager
def interrupting_nobody():
    """Programs started in here take a core when their turn comes, not from another as soon as a reply wakes them: a client on
    another machine could not do that either. At a fixed rate the generator must wake on time instead."""
    os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
    try:
        yield
    finally:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


def complaints_of(report, where):
    """A server that refuses quickly is not a quick server."""
    good = report["status"].get("200", 0)
    if good == report["offered"]:
        return []
    return [f"{where}: {good:,} of {report['offered']:,} requests were answered with 200, "
            f"status {report['status']}, errors {report['errors']} ({report['first_error']})"]


@contextlib.contextmanager
def running(server):
    """Its process group and the seconds from start to ready. All of the group is gone afterwards, whatever happens."""
    with contextlib.ExitStack() as stack:
        command = [str(word) for word in server.command]
        if server.home:
            beside = stack.enter_context(tempfile.TemporaryDirectory(dir=server.home.parent, prefix="service-"))
            command += ["--home", str(shutil.copytree(server.home, pathlib.Path(beside) / "home"))]
            os.sync()
        refuse_taken(server.port)
        log = stack.enter_context(tempfile.TemporaryFile("w+"))
        start = time.perf_counter()
        process = subprocess.Popen(
            command, env=server.environment, stdout=subprocess.DEVNULL, stderr=log, start_new_session=True
        )
        stack.callback(stop, process)
        wait_until_ready(process, server.port, log)
        yield process.pid, time.perf_counter() - start


def refuse_taken(port):
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", port)) == 0:
            raise SystemExit(f"port {port} is taken by another program, which would be measured instead: stop it")


def wait_until_ready(process, port, log):
    deadline = time.monotonic() + READY_SECONDS_MAX
    while not is_ready(port):
        late = time.monotonic() > deadline
        if late or process.poll() is not None:
            log.seek(0)
            what = f"is not ready after {READY_SECONDS_MAX} s" if late else f"ended with code {process.returncode}"
            raise SystemExit(f"`{' '.join(process.args)}` {what}:\n{log.read()[-2_000:]}")
        time.sleep(0.005)


def is_ready(port):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def stop(process):
    """Politely, then for good; workers are of the same group."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(STOP_SECONDS_MAX)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@dataclasses.dataclass
class Usage:
    memory_bytes: int
    processor_seconds: float


def usage(group):
    """Resident memory and processor time, summed over the processes of a group (workers and their parent)."""
    pages, ticks = 0, 0
    for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            # The name in brackets may hold blanks; numbers of proc(5) less 3 after it.
            fields = path.read_text(encoding="utf-8").rsplit(")", 1)[1].split()
            if int(fields[2]) == group:
                pages += int(fields[21])
                ticks += int(fields[11]) + int(fields[12])
    return Usage(pages * os.sysconf("SC_PAGE_SIZE"), ticks / os.sysconf("SC_CLK_TCK"))


def print_table(measured, rounds):
    print(f"\nservice: {rounds} round{'s' if rounds > 1 else ''}; {SATURATION['connections']} connections at saturation, "
          f"{STEADY['connections']} at {RATE:,} requests/s; medians, latency from the intended start")
    heads = "".join(f"{name:>10}" for name in ("ours", *PEERS, "floor"))
    print(f"  {'':32}{heads}{'ours / tuned':>14}{'ours / plain':>14}{'floor / ours':>14}   min-max in this order")
    for name, digits, values in ROWS:
        print_row(name, digits, {server: values(each) for server, each in measured.items()})


ROWS = [
    ("requests/s at saturation", 0, lambda each: [report["requests_per_second"] for report in each.saturation]),
    ("p50 at saturation, ms", 2, lambda each: latency_ms(each.saturation, "latency_from_send_us", "p50")),
    ("p99 at saturation, ms", 2, lambda each: latency_ms(each.saturation, "latency_from_send_us", "p99")),
    (f"p50 at {RATE:,}/s, ms", 2, lambda each: latency_ms(each.steady, "latency_from_intended_us", "p50")),
    (f"p99 at {RATE:,}/s, ms", 2, lambda each: latency_ms(each.steady, "latency_from_intended_us", "p99")),
    ("  p50 from the actual send, ms", 2, lambda each: latency_ms(each.steady, "latency_from_send_us", "p50")),
    ("  p99 from the actual send, ms", 2, lambda each: latency_ms(each.steady, "latency_from_send_us", "p99")),
    (f"CPU a request at {RATE:,}/s, us", 0, lambda each: each.processor_us),
    (f"memory after {RATE:,}/s, MB", 0, lambda each: [size / 1e6 for size in each.memory_bytes]),
    ("start-up, s", 2, lambda each: each.start_up_seconds),
]


def latency_ms(reports, measure, quantile):
    return [report[measure][quantile] / 1e3 for report in reports]


def print_row(name, digits, values):
    medians = {server: statistics.median(each) for server, each in values.items()}
    shown = "".join(f"{number(medians.get(server), digits):>10}" for server in ("ours", *PEERS, "floor"))
    compared = [("ours", "tuned"), ("ours", "plain"), ("floor", "ours")]
    ratios = "".join(f"{ratio(medians, *pair):>14}" for pair in compared)
    spread = ", ".join(f"{number(min(each), digits)}-{number(max(each), digits)}" for each in values.values())
    print(f"  {name:<32}{shown}{ratios}   {spread}")


def number(value, digits):
    return "-" if value is None else f"{value:,.{digits}f}"


def ratio(medians, above, below):
    if above not in medians or not medians.get(below):
        return "-"
    return f"{medians[above] / medians[below]:.3g}x"


if __name__ == "__main__":
    sys.exit(main())
