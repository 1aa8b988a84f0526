"""Our program and its Python peer in turn (A B A B) on the same file, because two figures taken on different days of a
machine compare the days.

Prints ratios and never passes or fails on time. Exit 1 only if the two disagree on what they computed.
Standard library only, Python 3.11 or later; the peers get an environment of their own in .tools/bench.
"""

import argparse
import hashlib
import itertools
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import tempfile
import time
import tomllib

BENCH = pathlib.Path(__file__).resolve().parent
ROOT = BENCH.parent
ENVIRONMENT = ROOT / ".tools" / "bench"
ROUNDS = {"windows": 3, "train": 3, "run": 3}
LOAD_MAX = 0.5
METRICS = ("average_precision", "roc_auc", "card_precision_at_100")


def main():
    arguments = parse_arguments()
    describe_machine(arguments.septet)
    python = prepare_environment("requirements.txt")
    parts = list(ROUNDS) if arguments.part == "all" else [arguments.part]
    agreed = [COMPARISONS[part](Bench(arguments.septet, arguments.source, python), ROUNDS[part]) for part in parts]
    return 0 if all(agreed) else 1


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=[*ROUNDS, "all"])
    parser.add_argument("--septet", type=pathlib.Path, help="default: target/release/septet, else target/debug/septet")
    parser.add_argument("--data", type=pathlib.Path, help="default: $SEPTET_DATA, else ../shared/data")
    arguments = parser.parse_args()
    built = [ROOT / "target" / profile / "septet" for profile in ("release", "debug")]
    arguments.septet = arguments.septet or next((path for path in built if path.exists()), built[0])
    data = arguments.data or pathlib.Path(os.environ.get("SEPTET_DATA") or ROOT.parent / "shared" / "data")
    arguments.source = (data / "fraud" / "handbook_transactions.parquet").resolve()
    for path, hint in ((arguments.septet, "build it, or give --septet"), (arguments.source, "give --data")):
        if not path.exists():
            parser.error(f"there is no `{path}`: {hint}")
    arguments.septet = arguments.septet.resolve()
    return arguments


def describe_machine(septet):
    load = os.getloadavg()[0]
    print(f"machine: {processor()}, {os.cpu_count()} cores, {platform.system()}; load average {load:.2f}")
    if septet:
        print(f"ours:    {septet}")
    if load > LOAD_MAX:
        print(f"warning: the machine is busy (load average above {LOAD_MAX}); these figures are not for keeping")
    if septet and "debug" in septet.parts:
        print("warning: a debug build; these times say nothing about a release build")


def processor():
    """The processor's name, where the system tells."""
    try:
        lines = pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def prepare_environment(*names):
    """The Python of .tools/bench, with at least the packages of these requirements files."""
    files = [BENCH / name for name in names]
    content = b"".join(path.read_bytes() for path in files)
    stamp = ENVIRONMENT / ("ready-" + hashlib.sha256(content).hexdigest()[:12])
    python = ENVIRONMENT / "bin" / "python"
    if not stamp.exists():
        print("setting up .tools/bench (the peers' packages, from PyPI)")
        made = subprocess.run([sys.executable, "-m", "venv", ENVIRONMENT])
        if made.returncode != 0:
            raise SystemExit(f"`{sys.executable} -m venv` does not work here: on Debian, apt-get install python3-venv")
        pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, *(f"--requirement={path}" for path in files)], check=True)
        stamp.touch()
    return python


def peer_environment():
    """The environment of this process, less OpenBLAS settings made for older numpy: they slow a current one down."""
    dropped = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")
    kept = {name: value for name, value in os.environ.items() if name not in dropped}
    return kept | {"PYTHONDONTWRITEBYTECODE": "1"}


class Bench:
    """How the two are called. Every call of ours gets an empty home, so that nothing is resumed, and the domain as it
    is in the repository now, which the peer's candidates are read from."""

    def __init__(self, septet, source, python):
        self.septet, self.source, self.python = septet, source, python
        self.peer_environment = peer_environment()

    def ours(self, folder, *words, out=None):
        where = ["--home", folder / "home", "--domains", BENCH / "domains"]
        where += ["--source", self.source, "--layout", "fraud_handbook"]
        written = ["--out", out] if out else []
        return last_object([self.septet, *words, *where, *written, "--json"], None)

    def peer(self, script, *words):
        return last_object([self.python, BENCH / script, *words], self.peer_environment)


def last_object(command, environment):
    """The JSON object on the last line that holds one, with `seconds_wall`: from start to exit, as a person waits."""
    command = [str(word) for word in command]
    start = time.perf_counter()
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True)
    seconds = time.perf_counter() - start
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode != 0 or not lines:
        raise SystemExit(f"exit code {done.returncode}, {len(lines)} reports, from: {' '.join(command)}")
    return json.loads(lines[-1]) | {"seconds_wall": seconds}


def compare_windows(bench, rounds):
    ours, peer = [], []
    for number in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            answers = folder / "windows.parquet"
            ours.append(bench.ours(folder, "bench", "windows", "fraud", out=answers))
            # The answers do not change from round to round: they are checked once.
            check = [] if number else ["--check", answers]
            peer.append(bench.peer("peer_windows.py", "--source", bench.source, *check))
    title(f"windows: {ours[0]['rows']:,} rows ours, {peer[0]['rows']:,} peer; {rounds} rounds")
    row("windows alone", [each["seconds"] for each in ours], [each["seconds"] for each in peer])
    return verdict("largest difference of the 12 columns", f"{peer[0]['max_difference']:.1e}", peer[0]["equal"])


def compare_train(bench, rounds):
    ours, peer = [], []
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            out = pathlib.Path(folder) / "train"
            ours.append(bench.ours(pathlib.Path(folder), "bench", "train", "fraud", out=out))
            ours[-1].setdefault("model_sha256", model_sha256(out / "model.txt"))
            given = ["--matrix", out / "matrix.parquet", "--parameters", out / "parameters.json"]
            peer.append(bench.peer("peer_train.py", *given))
    title(f"train: {ours[0]['rows']:,} rows, 5 fits a round, {rounds} rounds")
    for what in ("seconds_median", "seconds_best"):
        row(f"one fit, {what.removeprefix('seconds_')}", [each[what] for each in ours], [each[what] for each in peer])
    hashes = {each["model_sha256"] for each in ours + peer}
    return verdict("trees", "equal to the byte" if len(hashes) == 1 else f"differ: {sorted(hashes)}", len(hashes) == 1)


def model_sha256(path):
    """As peer_train.py says it: from `Tree=0` to the line `end of trees`."""
    text = path.read_text(encoding="utf-8")
    return hashlib.sha256(text[text.index("Tree=0\n") : text.index("end of trees")].rstrip().encode()).hexdigest()


def compare_run(bench, rounds):
    tried = candidates()
    ours, peer = [], []
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            grid = folder / "grid.json"
            grid.write_text(json.dumps(tried), encoding="utf-8")
            # The look afterwards has no counterpart on the other side.
            ours.append(bench.ours(folder, "run", "fraud", "--no-monitor"))
            given = ["--source", bench.source, "--grid", grid, "--out", folder / "peer"]
            peer.append(bench.peer("peer_run.py", *given))
    title(f"run: {len(tried)} candidates, {rounds} round{'s' if rounds > 1 else ''}")
    row("from start to exit", *[[each["seconds_wall"] for each in side] for side in (ours, peer)])
    print("  ours: " + stages({step["name"]: step["seconds"] for step in ours[0]["steps"]}))
    print("  peer: " + stages(peer[0]["seconds"]))
    for name in METRICS:
        of_ours, of_peer = ours[0]["metrics"][name], peer[0]["metrics"]["trees"][name]
        print(f"  {name:<24}{with_interval(of_ours):>28}{with_interval(of_peer):>28}")
        linear = of_ours["baselines"]["linear"], peer[0]["metrics"]["linear"][name]["value"]
        print(f"  {'  logistic regression':<24}{linear[0]:>12.4f}{'':16}{linear[1]:>12.4f}")
    return True


def candidates():
    """Every combination that the domain searches, on top of its fixed parameters, in the order of the file."""
    model = tomllib.loads((BENCH / "domains" / "fraud" / "domain.toml").read_text(encoding="utf-8"))["model"]
    fixed, search = model.get("parameters", {}), model.get("search", {})
    return [fixed | dict(zip(search, values)) for values in itertools.product(*search.values())]


def title(text):
    print(f"\n{text}\n  {'':24}{'ours':>12}{'peer':>12}{'peer / ours':>14}   ours min-max, peer min-max")


def row(name, ours, peer):
    ratio = statistics.median(peer) / statistics.median(ours)
    spread = ", ".join(f"{min(each):.3f}-{max(each):.3f} s" for each in (ours, peer))
    print(f"  {name:<24}{statistics.median(ours):>10.3f} s{statistics.median(peer):>10.3f} s{ratio:>13.2f}x   {spread}")


def verdict(name, text, agrees):
    print(f"  {name}: {text}" + ("" if agrees else " (NOT the same work)"))
    return agrees


def stages(seconds):
    return ", ".join(f"{name} {value:.2f} s" for name, value in seconds.items())


def with_interval(metric):
    low, high = (float("nan") if metric[end] is None else metric[end] for end in ("low", "high"))
    return f"{metric['value']:.4f} ({low:.4f}-{high:.4f})"


COMPARISONS = {"windows": compare_windows, "train": compare_train, "run": compare_run}

if __name__ == "__main__":
    sys.exit(main())
