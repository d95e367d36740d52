"""The production server in a process of its own, as `make run` starts it."""

import http.client
import os
import signal
import subprocess
from contextlib import ExitStack, closing

import pytest

from tests.plugins.server import COMMAND, ROOT, answered, wait_until

pytestmark = pytest.mark.heavy("postgresql")


@pytest.mark.parametrize("workers", ["1", "2"])
def test_the_server_gets_ready_and_ends_cleanly_on_ctrl_c(start, port, tmp_path, workers):
    server = start(WEB_CONCURRENCY=workers)
    assert answered(port, "/readyz") == 200

    os.killpg(server.pid, signal.SIGINT)  # Ctrl-C reaches every process of the terminal

    assert server.wait(60) == 0
    assert "Traceback" not in (tmp_path / "log").read_text()


def test_the_server_writes_no_token_to_its_log(start, port, tmp_path):
    start()

    answered(port, "/o/J5k2w9xT4bq8Zr1cVnM0sDfGhQ3yLpE7uXaBoKiWc/")

    wait_until(lambda: "path=/o/…/" in (tmp_path / "log").read_text())
    assert "J5k2w9xT4bq8Zr1cVnM0sDfGhQ3yLpE7uXaBoKiWc" not in (tmp_path / "log").read_text()


def test_a_long_address_is_answered_by_the_shop(start, port):
    start()

    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as client:
        client.request("GET", f"/api/v1/nowhere?q={'x' * 8_000}")
        with client.getresponse() as answer:
            assert (answer.status, answer.headers["Content-Type"]) == (404, "application/problem+json")


def test_a_long_body_that_is_refused_unread_costs_the_next_request_nothing(start, port):
    start()

    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as client:
        answers = []
        for _ in range(3):
            client.request("POST", "/api/v1/books", b"x" * 2**20)
            with client.getresponse() as answer:
                answers.append((answer.status, answer.will_close, answer.read()[:1]))

    assert answers == [(401, False, b"{")] * 3


def test_a_body_that_is_too_long_to_be_passed_over_ends_the_connection_which_the_answer_says(start, port):
    start()

    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as client:
        client.putrequest("POST", "/api/v1/books")
        client.putheader("Content-Length", str(2**30))
        client.endheaders()
        with client.getresponse() as answer:
            assert (answer.status, answer.will_close) == (401, True)


def test_bodies_that_never_come_keep_nobody_waiting_for_ever(start, port):
    start(WEB_CONCURRENCY="1")

    with ExitStack() as held:
        for _ in range(9):  # one more than there are threads
            client = held.enter_context(closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)))
            client.putrequest("POST", "/api/v1/books")
            client.putheader("Content-Length", str(2**20))
            client.endheaders()
            assert held.enter_context(client.getresponse()).status == 401


def test_head_is_answered_with_headers_alone_and_nothing_is_complained_of(start, port, tmp_path):
    server = start()

    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as client:
        for path in ("/livez", "/", "/api/v1/openapi.json", "/api/v1/nowhere", "/static/admin/css/base.css"):
            answers = []
            for method in ("GET", "HEAD"):
                client.request(method, path)
                with client.getresponse() as answer:
                    answers.append((answer.status, answer.headers["Content-Length"], answer.headers["Content-Type"]))
                    assert bool(answer.read()) is (method == "GET"), path
            assert answers[0] == answers[1], path

    os.killpg(server.pid, signal.SIGINT)
    server.wait(60)
    assert "no-body" not in (tmp_path / "log").read_text()


def test_a_server_that_is_set_up_wrongly_says_so_and_stops(port):
    environment = {**os.environ, "PORT": str(port), "SECRET_KEY": ""}

    ran = subprocess.run(COMMAND, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=180)

    assert ran.returncode == 2
    assert ran.stderr.startswith("SECRET_KEY is not set")
    assert "Traceback" not in ran.stderr
