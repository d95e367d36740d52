"""The production server in processes of its own, as `make run` starts it, on the database of the test."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
COMMAND = [sys.executable, "-m", "gunicorn", "--config", "python:bookshelf_site.gunicorn_conf"]


@pytest.fixture
def port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        found: int = free.getsockname()[1]
        return found


@pytest.fixture
def start(
    child_environment: dict[str, str], port: int, tmp_path: Path
) -> Iterator[Callable[..., "subprocess.Popen[bytes]"]]:
    started = []

    def start(**environment: str) -> "subprocess.Popen[bytes]":
        with (tmp_path / "log").open("wb") as log:
            server = subprocess.Popen(
                COMMAND,
                cwd=ROOT,
                env={**child_environment, "PORT": str(port), **environment},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        started.append(server)
        wait_until(lambda: answered(port, "/livez") == 200)
        return server

    yield start
    for server in started:
        if server.poll() is None:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()


def wait_until(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def answered(port: int, path: str) -> int | None:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as response:
            status: int = response.status
            return status
    except urllib.error.HTTPError as refused:
        refused.close()
        return refused.code
    except OSError:
        return None
