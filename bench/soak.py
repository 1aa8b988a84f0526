"""Does memory stay flat? Our service at half of what it can do, for half an hour, each payment a new one, log durable.

Sends the last month of the Handbook again and again, each time a month later and under new numbers, so that windows move on
and no payment comes twice. Prints resident memory every third minute with its slope, and passes or fails on nothing but a
request that was not answered with 200. The log grows by 1.4 kB a request: 25 GB in half an hour at 10,000 a second.
Standard library only, Python 3.11 or later, Linux; see service.py for what it starts.
"""

import argparse
import datetime
import json
import os
import pathlib
import shutil
import statistics
import sys
import tempfile
import threading
import time

import service
from compare import describe_machine, prepare_environment

# Bodies are held in memory by the generator: so many a part.
PART_BODIES = 1_800_000
SAMPLE_SECONDS = 5
# Of a request, its keys with it.
LOG_BYTES = 1_450


def main():
    arguments = parse_arguments()
    service.stop_when_told()
    describe_machine(arguments.septet)
    python = prepare_environment("requirements.txt", "requirements_service.txt")
    with tempfile.TemporaryDirectory(dir=arguments.scratch) as folder:
        folder = pathlib.Path(folder)
        server = service.prepare_ours(arguments, python, None, folder)
        # Thirty million payments, a month of them at a time, go beyond today.
        server.environment = os.environ | {"SEPTET_CLOCK_SKEW_MAX": "36500d"}
        rate = arguments.rate or half_of_saturation(server, arguments.load)
        check_room(arguments.home.parent, rate * arguments.minutes * 60 * LOG_BYTES)
        good, sent, memory, seconds = soak(server, arguments, folder, rate)
    print_memory(memory)
    program = arguments.septet.stat().st_size / 1e6
    print(f"  start-up {seconds:.2f} s; program {program:.0f} MB; {good:,} of {sent:,} requests answered with 200")
    return 0 if good == sent else 1


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    service.add_paths(parser)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--rate", type=int, help="requests a second; default: half of saturation, measured first")
    parser.add_argument("--scratch", type=pathlib.Path, help="folder for the bodies, default: the system's")
    arguments = parser.parse_args()
    service.complete_paths(parser, arguments)
    return arguments


def check_room(folder, needed):
    """Before half an hour, not after it."""
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise SystemExit(f"the log will have {needed / 1e9:.0f} GB, `{folder}` has room for {free / 1e9:.0f}: give --rate or --minutes")


def half_of_saturation(server, load):
    with service.running(server):
        report = service.drive(server, load, ["--saturate"], service.SATURATION)
    print(f"saturation: {report['requests_per_second']:,.0f} requests/s")
    return int(report["requests_per_second"] / 2)


def soak(server, arguments, folder, rate):
    """Requests answered with 200, requests sent, (minute, MB) of each sample, and seconds of the start-up."""
    bodies = Bodies(server.bodies)
    part, left, good, sent = folder / "part.ndjson", int(rate * arguments.minutes * 60), 0, 0
    memory, stop, start = [], threading.Event(), time.monotonic()
    with service.running(server) as (group, seconds):

        def sample():
            while not stop.wait(SAMPLE_SECONDS):
                memory.append(((time.monotonic() - start) / 60, service.usage(group).memory_bytes / 1e6))

        sampling = threading.Thread(target=sample)
        sampling.start()
        try:
            while left > 0:
                count = min(left, PART_BODIES)
                bodies.write(part, count)
                server.bodies = part
                # Half a request less: the generator must not count one more than there are bodies.
                settings = {"connections": 64, "rate": rate, "seconds": (count - 0.5) / rate}
                report = service.drive(server, arguments.load, [], settings)
                good, sent, left = good + report["status"].get("200", 0), sent + report["offered"], left - count
                for complaint in service.complaints_of(report, "this part"):
                    print(f"  {complaint}", flush=True)
                latency = report["latency_from_intended_us"]
                print(f"  {sent:,} sent at {rate:,}/s, p50 {latency['p50'] / 1e3:.2f} ms, p99 {latency['p99'] / 1e3:.2f} ms", flush=True)
        finally:
            stop.set()
            sampling.join()
    return good, sent, memory, seconds


class Bodies:
    """The payments of a file without end: after the last one comes the first, later by the days that all of them span."""

    def __init__(self, path):
        self.payments = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        days = [datetime.date.fromisoformat(payment["paid_at"][:10]) for payment in self.payments]
        self.days, self.span, self.next = days, (max(days) - min(days)).days + 1, 0

    def write(self, path, count):
        with open(path, "w", encoding="utf-8") as file:
            for number in range(self.next, self.next + count):
                turn, at = divmod(number, len(self.payments))
                payment = self.payments[at]
                day = self.days[at] + datetime.timedelta(days=turn * self.span)
                file.write(
                    f'{{"payment_id": "{number:010}", "paid_at": "{day}{payment["paid_at"][10:]}", '
                    f'"customer_id": "{payment["customer_id"]}", "terminal_id": "{payment["terminal_id"]}", '
                    f'"amount": {payment["amount"]}}}\n'
                )
        self.next += count


def print_memory(memory):
    """Every third minute, and the slope of the second half: what a start needs is in the first."""
    print("  minute: MB")
    for minute in range(0, int(memory[-1][0]) + 1, 3):
        near = min(memory, key=lambda sample: abs(sample[0] - minute))
        print(f"  {near[0]:6.1f}: {near[1]:,.0f}")
    late = [sample for sample in memory if sample[0] >= memory[-1][0] / 2]
    slope = statistics.linear_regression([minute for minute, _ in late], [size for _, size in late]).slope
    print(f"  second half: {slope:+.2f} MB a minute, {min(size for _, size in late):,.0f} to {max(size for _, size in late):,.0f} MB")


if __name__ == "__main__":
    sys.exit(main())
