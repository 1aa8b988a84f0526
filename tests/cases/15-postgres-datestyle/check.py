"""Settings of a role or a database change what COPY prints.

Right: one fingerprint for all settings. Needs a PostgreSQL server: SEPTET_TEST_POSTGRES, as scripts/with-services
sets it."""

import os

from harness import Skipped
from postgres import Postgres

SETTINGS = [
    "datestyle = 'ISO, MDY'",
    "datestyle = 'German'",
    "datestyle = 'SQL, MDY'",
    "datestyle = 'Postgres'",
    "extra_float_digits = -10",
    "extra_float_digits = 0",
]


def check(case):
    url = os.environ.get("SEPTET_TEST_POSTGRES")
    if not url:
        raise Skipped("needs PostgreSQL: scripts/with-services scripts/cases 15")
    name = f"septet_case_15_{os.getpid()}"
    with Postgres(url) as server:
        server.run(f"CREATE DATABASE {name}")
        try:
            compare(case, server, url.rsplit("/", 1)[0] + "/" + name, name)
        finally:
            server.run(f"DROP DATABASE {name} WITH (FORCE)")


def compare(case, server, url, name):
    with Postgres(url) as scratch:
        scratch.run((case.folder / "setup.sql").read_text())
    prints = {}
    for place, setting in enumerate(SETTINGS):
        server.run(f"ALTER DATABASE {name} SET {setting}")
        done = case.extract(f"{url}?table=case15f", run=f"r{place}")
        server.run(f"ALTER DATABASE {name} RESET ALL")
        case.counts(setting, done, (300, 300, 0))
        prints[setting] = done.lines[-1].get("fingerprint") if done.code == 0 else done.message
    for setting in SETTINGS[1:]:
        case.same(f"fingerprint under {setting}", prints[setting], prints[SETTINGS[0]])
