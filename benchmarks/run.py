"""Measures the shop against floors taken in the same run, on PostgreSQL, and prints the ratios.

    make bench                                   all of them
    .venv/bin/python benchmarks/run.py relay     those whose name has "relay" in it

A time alone says little on a machine that does other things too; what is printed is how many times the floor we are,
as the median of several rounds in which both take turns. DATABASE_URL names the PostgreSQL server to use; without it,
one is started from the wheel. Either way the measurements are taken in a scratch database that is dropped at the end.
"""

from __future__ import annotations

import os
import secrets
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psycopg

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.plugins.database import PostgresFromWheel

FOLDER = Path(__file__).resolve().parent


def main(wanted: list[str]) -> None:
    with postgresql() as server, scratch_database(server) as url:
        os.environ.update(DATABASE_URL=url, SECRET_KEY="for benchmarks only", EVENTS_ENGINE="relay", LOG_FORMAT="json")
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bookshelf_site.settings")
        import django
        from django.core.management import call_command
        from django.db import connections

        django.setup()
        call_command("migrate", verbosity=0)
        from benchmarks import measure

        for result in measure.all_results(wanted):
            print(result, flush=True)
        connections.close_all()


@contextmanager
def postgresql() -> Iterator[str]:
    """A server to measure on: the one that DATABASE_URL names, else one from the wheel."""
    given = os.environ.get("DATABASE_URL", "")
    if given.startswith(("postgres://", "postgresql://")):
        yield given
        return
    with tempfile.TemporaryDirectory(prefix="bookshelf-bench-") as folder:
        server = PostgresFromWheel(Path(folder))
        server.start()
        try:
            yield server.url.removesuffix("bookshelf") + "postgres"
        finally:
            server.stop()


@contextmanager
def scratch_database(server: str) -> Iterator[str]:
    name = f"bookshelf_bench_{secrets.token_hex(4)}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
        try:
            yield urlsplit(server)._replace(path=f"/{name}").geturl()
        finally:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


if __name__ == "__main__":
    main(sys.argv[1:])
