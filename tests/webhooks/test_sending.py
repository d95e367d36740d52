import shutil
import socket
import ssl
import subprocess
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from bookshelf_site.webhooks import sending
from tests.webhooks.listening import (
    answering,
    drips_headers,
    drips_the_body,
    hangs,
    hangs_up,
    thinks_before_it_answers,
)

HEADERS = {"webhook-id": "msg_1"}


def post(url, body=b"{}"):
    return sending.post(url, body=body, headers=HEADERS)


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(sending, "SECONDS", 0.4)


def test_it_arrives_as_it_is(listener):
    answer = post(f"{listener.url}?a=1", '{"x": "ö"}'.encode())

    (received,) = listener.received
    assert (received.path, received.body) == ("/hooks?a=1", '{"x": "ö"}'.encode())
    assert received.headers["webhook-id"] == "msg_1"
    assert received.headers["content-type"] == "application/json"
    assert received.headers["host"] == f"127.0.0.1:{listener.server_port}"
    assert received.headers["user-agent"] == "Bookshelf-Webhooks/1.0"
    assert (answer.status, answer.excerpt, answer.error, answer.is_success) == (200, "thank you", "", True)


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_two_hundreds_are_success(listener, status):
    listener.then(answering(status, b""))

    assert post(listener.url).is_success


@pytest.mark.parametrize("status", [400, 401, 404, 410, 422, 429, 500, 503, 599])
def test_what_is_refused_is_none(listener, status):
    listener.then(answering(status))

    answer = post(listener.url)

    assert (answer.is_success, answer.status, answer.summary) == (False, status, f"answered {status}")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(listener, listen, status):
    elsewhere = listen()
    listener.then(answering(status, Location=elsewhere.url))

    answer = post(listener.url)

    assert (answer.is_success, answer.status) == (False, status)
    assert "a redirect is not followed" in answer.error
    assert elsewhere.received == []


def test_to_answer_may_take_longer_than_to_connect(listener, monkeypatch):
    monkeypatch.setattr(sending, "SECONDS_TO_CONNECT", 0.1)
    listener.then(thinks_before_it_answers(0.3))

    answer = post(listener.url)

    assert (answer.is_success, answer.excerpt, answer.error) == (True, "thank you", "")


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("slowly", [hangs, drips_headers, drips_the_body])
def test_nobody_is_waited_for_for_long(listener, slowly):
    listener.then(slowly)

    answer = post(listener.url)

    assert (answer.is_success, answer.error) == (False, "no complete answer within 0.4 seconds")


def test_who_hangs_up_has_not_answered(listener):
    listener.then(hangs_up)

    answer = post(listener.url)

    assert (answer.is_success, answer.status) == (False, None)
    assert answer.error == "the connection broke off (RemoteDisconnected)"


def test_who_is_not_there_has_not_answered(private, listen):
    gone = listen()
    gone.close()

    assert post(gone.url).error == "no connection could be made"


def test_the_next_address_is_tried_where_the_first_does_not_answer(listener, names):
    names["hooks.test"] = [["127.0.0.77", "127.0.0.1"]]

    answer = post(f"http://hooks.test:{listener.server_port}/")

    assert answer.is_success
    assert listener.received[0].headers["host"] == f"hooks.test:{listener.server_port}"


def test_of_a_long_answer_the_beginning_is_kept(listener):
    listener.then(answering(500, b"\0\xff" + b"x" * 1_000_000))

    answer = post(listener.url)

    assert len(answer.excerpt) == 2048
    assert answer.excerpt.startswith("��xx")


@pytest.mark.parametrize(
    ("said", "seconds"),
    [("120", 120), ("0", 0), ("soon", None), ("²", None), ("-1", None), ("", None), ("9" * 400, 999_999_999)],
)
def test_a_pause_that_is_asked_for_is_told(listener, said, seconds):
    listener.then(answering(429, Retry_After=said))

    assert post(listener.url).retry_after == seconds


def test_a_pause_may_be_a_date(listener, time_machine):
    now = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
    time_machine.move_to(now, tick=False)
    listener.then(answering(503, Retry_After=format_datetime(now + timedelta(minutes=2), usegmt=True)))

    assert post(listener.url).retry_after == 120


# Where it may lead


def test_a_name_that_changes_between_check_and_use_leads_nowhere_new(listener, listen, names):
    other = listen("127.0.0.2", listener.server_port)
    names["hooks.test"] = [["127.0.0.1"], ["127.0.0.2"]]

    assert post(f"http://hooks.test:{listener.server_port}/").is_success

    assert (len(listener.received), other.received) == (1, [])
    assert names["hooks.test"] == [["127.0.0.2"]]


def test_a_private_address_is_never_connected_to(listener, settings, names, monkeypatch):
    settings.WEBHOOKS_ALLOW_PRIVATE = False
    monkeypatch.setattr(socket.socket, "connect", lambda *args: pytest.fail("connected"))
    names["hooks.test"] = [["127.0.0.1"]]

    answer = post(f"https://hooks.test:{listener.server_port}/")

    assert answer.error == "hooks.test is not on the public internet; a webhook leads nowhere else"


def test_without_leave_nothing_goes_unencrypted(listener, settings, names):
    settings.WEBHOOKS_ALLOW_PRIVATE = False
    names["hooks.test"] = [["93.184.216.34"]]

    assert post("http://hooks.test/").error == "must begin with https://"


# TLS: the certificate is the name's, though the connection is made to an address


@pytest.fixture
def certified(tmp_path, listen, names, private):
    """A listener for hooks.test and 127.0.0.1, and the file by which it can be trusted."""
    if not shutil.which("openssl"):
        pytest.skip("there is no openssl here")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        [
            *(
                "openssl",
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:P-256",
                "-nodes",
                "-days",
                "2",
            ),
            *("-subj", "/CN=hooks.test", "-addext", "subjectAltName=DNS:hooks.test,IP:127.0.0.1"),
            *("-keyout", key, "-out", certificate),
        ],
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    names["hooks.test"] = names["other.test"] = [["127.0.0.1"]]
    sending.tls.cache_clear()
    yield listen(tls=context), certificate
    sending.tls.cache_clear()


@pytest.fixture
def trusted(certified, monkeypatch):
    listener, certificate = certified
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    return listener


@pytest.mark.parametrize("host", ["hooks.test", "127.0.0.1"])
def test_a_good_certificate_is_trusted(trusted, host):
    answer = post(f"https://{host}:{trusted.server_port}/")

    assert (answer.is_success, answer.error) == (True, "")


def test_a_certificate_of_another_name_is_not(trusted):
    answer = post(f"https://other.test:{trusted.server_port}/")

    assert "its certificate is not good: Hostname mismatch" in answer.error
    assert trusted.received == []


def test_a_certificate_that_nobody_vouches_for_is_not(certified):
    listener, _ = certified

    answer = post(f"https://hooks.test:{listener.server_port}/")

    assert "its certificate is not good: self-signed certificate" in answer.error
    assert listener.received == []


@pytest.mark.usefixtures("impatient")
def test_tls_that_drips_is_not_waited_for(trusted):
    trusted.then(drips_the_body)

    assert post(f"https://hooks.test:{trusted.server_port}/").error == "no complete answer within 0.4 seconds"
