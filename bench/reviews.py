"""Reviews: our VADER beside the Python reference on the same 18,513 sentences, one core each in turn; and how many reviews a
second `/predict/batch` answers with a restaurant's champion, whole (features, model, reasons, aspects, durable log), for
each core that it keeps busy.

Prints figures and never passes or fails on time. Exit 1 only if the two VADERs disagree or a review is not answered.
Standard library only, Python 3.11 or later, Linux; the reference gets an environment in .tools/bench.
"""

import argparse
import csv
import gzip
import http.client
import json
import os
import pathlib
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time

import compare

ROUNDS = 3
REVIEWS = 30_000
PORT = 8006
READY_SECONDS_MAX = 120
LANGUAGE_TARGET = compare.ROOT / "target" / "bench-language"

REFERENCE = '''
import json, sys, time
from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer
analyzer = SentimentIntensityAnalyzer()
texts = open(sys.argv[1], encoding="utf-8").read().split("\\n")[:-1]
start = time.perf_counter()
scores = [analyzer.polarity_scores(text)["compound"] for text in texts]
print(json.dumps({"seconds": time.perf_counter() - start, "sum": round(sum(scores), 4)}))
'''


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    built = [compare.ROOT / "target" / profile / "septet" for profile in ("release", "debug")]
    parser.add_argument("--septet", type=pathlib.Path, default=next((path for path in built if path.exists()), built[0]))
    parser.add_argument("--home", type=pathlib.Path, help="with a restaurant's champion; default: a new one")
    parser.add_argument("--data", type=pathlib.Path, help="default: $SEPTET_DATA, else ../shared/data")
    arguments = parser.parse_args()
    compare.describe_machine(arguments.septet)
    data = arguments.data or pathlib.Path(os.environ.get("SEPTET_DATA") or compare.ROOT.parent / "shared" / "data")
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        agreed = compare_vader(data / "restaurant" / "vader_expected.tsv.gz", folder)
        answered = batch(arguments.septet, arguments.home or folder / "home", data / "restaurant" / "yelp_labelled.txt")
    return 0 if agreed and answered else 1


def compare_vader(source, folder):
    """Seconds of one pass, the fastest of ours within a round against the reference's only one."""
    with gzip.open(source, "rt", encoding="utf-8", newline="") as file:
        rows = [line.rstrip("\n").split("\t") for line in file]
    at = rows[0].index("text")
    texts = [row[at] for row in rows[1:]]
    (folder / "texts.txt").write_text("".join(text + "\n" for text in texts), encoding="utf-8")
    megabytes = sum(len(text.encode()) for text in texts) / 1e6
    python = compare.prepare_environment("requirements_language.txt")
    command = ["cargo", "build", "--release", "--quiet", "--package=septet-language", "--example=throughput"]
    subprocess.run([*command, f"--target-dir={LANGUAGE_TARGET}"], cwd=compare.ROOT, check=True)
    ours, peer, sums = [], [], set()
    for _ in range(ROUNDS):
        example = LANGUAGE_TARGET / "release" / "examples" / "throughput"
        found = compare.last_object([example, folder / "texts.txt", "--json"], None)
        ours.append(found["vader_seconds"])
        reference = compare.last_object([python, "-c", REFERENCE, folder / "texts.txt"], compare.peer_environment())
        peer.append(reference["seconds"])
        sums |= {found["vader_sum"], reference["sum"]}
    compare.title(f"VADER: {len(texts):,} sentences, {megabytes:.2f} MB, one core, {ROUNDS} rounds")
    compare.row("all sentences", ours, peer)
    print(f"  {megabytes / statistics.median(ours):.1f} MB/s ours, {megabytes / statistics.median(peer):.2f} MB/s reference")
    print(f"  aspects: {found['aspects_texts_per_second']:,.0f} texts/s")
    return compare.verdict("sum of the compound scores", f"{sorted(sums)}", len(sums) == 1)


def batch(septet, home, sentences):
    """NDJSON in one request; processor time is the service's own."""
    trained = subprocess.run([septet, "run", "restaurant", "--home", home, "--no-monitor"], capture_output=True, text=True)
    if trained.returncode != 0:
        raise SystemExit(trained.stderr[-2000:])
    with open(next((home / "demo").glob("reviews.csv")), encoding="utf-8", newline="") as file:
        demo = [row["text"] for row in csv.DictReader(file)]
    yelp = [line.split("\t")[0] for line in sentences.read_text(encoding="utf-8").splitlines()]
    service = subprocess.Popen(
        [septet, "serve", "restaurant", "--home", home], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        wait_until_ready()
        complete = True
        for name, texts in (("the demo's reviews", demo), ("Yelp's sentences", yelp)):
            characters = statistics.mean(len(text) for text in texts)
            print(f"\nbatch: {REVIEWS:,} of {name}, {characters:.0f} characters on average, {ROUNDS} rounds, log durable")
            speeds = []
            for number in range(ROUNDS):
                body = reviews(texts, f"{name[:2]}{time.time_ns()}")
                seconds, busy, answered = send(service.pid, body)
                speeds.append(answered / busy)
                complete = complete and answered == REVIEWS
                print(f"  {answered:,} answered in {seconds:.2f} s: {answered / seconds:,.0f}/s;"
                      f" {busy:.2f} s of processor time: {answered / busy:,.0f} reviews/s a core")
            print(f"  median {statistics.median(speeds):,.0f} reviews/s a core")
        return complete
    finally:
        service.send_signal(signal.SIGTERM)
        service.wait()


def reviews(texts, prefix):
    """Texts as new reviews."""
    texts = (texts * (REVIEWS // len(texts) + 1))[:REVIEWS]
    event = {"business_id": "B001", "posted_at": "2026-06-20T12:00:00Z"}
    lines = [json.dumps({"review_id": f"{prefix}-{at}", "text": text} | event) for at, text in enumerate(texts)]
    return "\n".join(lines).encode() + b"\n"


def wait_until_ready():
    for _ in range(READY_SECONDS_MAX * 10):
        try:
            connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=2)
            connection.request("GET", "/readyz")
            if connection.getresponse().status == 200:
                return
        except OSError:
            pass
        time.sleep(0.1)
    raise SystemExit("the service did not become ready")


def send(pid, body):
    before, start = processor_seconds(pid), time.perf_counter()
    connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=100)
    connection.putrequest("POST", "/predict/batch")
    for name, value in (("content-type", "application/x-ndjson"), ("content-length", str(len(body)))):
        connection.putheader(name, value)
    connection.endheaders()
    # Answers come while rows are sent: who only sends would fill every buffer in between.
    sending = threading.Thread(target=connection.sock.sendall, args=(body,))
    sending.start()
    lines = connection.getresponse().read().splitlines()
    sending.join()
    seconds = time.perf_counter() - start
    return seconds, processor_seconds(pid) - before, json.loads(lines[-1])["summary"]["answered"]


def processor_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    sys.exit(main())
