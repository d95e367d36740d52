"""How gunicorn serves the shop: threads in few processes, and a clean end."""

import os
import signal
import sys
from time import monotonic
from typing import Any, Final

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from gunicorn.http import wsgi
from gunicorn.workers.gthread import ThreadWorker

from bookshelf_site import logs

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bookshelf_site.settings")
try:
    logs.configure(settings.LOGGING)
    logconfig_dict = settings.LOGGING
except ImproperlyConfigured as refusal:
    print(refusal, file=sys.stderr)
    sys.exit(2)


MOST_PASSED_OVER: Final = 8 * 2**20
SECONDS_TO_PASS_OVER: Final = 5
"""How much of a body that the shop has refused unread is read to keep the connection, and for how long."""


class Worker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """Ends in one way only: it accepts nothing more and finishes what it is at."""

    def init_signals(self) -> None:
        super().init_signals()
        # Ctrl-C reaches each process of a terminal, and the master then sends SIGQUIT as well. gunicorn's own handler
        # takes the thread pool's lock in both: the second signal, or one that meets a request, would wait for ever.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGQUIT, self.handle_exit)

    def _keepalive_after(self, conn: Any, keepalive: bool) -> bool:  # noqa: FBT001  # gunicorn's
        """Pass over what the shop has left unread, such as the body of a request without a good key."""
        # gunicorn gives up after 64 KiB, and closes what it said would be kept: the client's next request would fail
        deadline = monotonic() + SECONDS_TO_PASS_OVER
        return bool(conn.parser.finish_body(deadline=deadline, max_bytes=MOST_PASSED_OVER)) and keepalive


bind = [f"127.0.0.1:{settings.PORT}"]
wsgi_app = "bookshelf_site.wsgi"
if "WEB_CONCURRENCY" not in os.environ:
    # SQLite has one writer: a second process would only wait for the first.
    workers = 1 if settings.DATABASES["default"]["ENGINE"].endswith("sqlite3") else 2
worker_class = Worker
threads = 8
keepalive = 5
# the most that gunicorn knows: a link to the next page repeats what was asked for, and says where it begins
limit_request_line = 8190
timeout = 60
graceful_timeout = 20
# A thread that has its answer from the database shall not wait 5 ms, which is Python's habit, for one that computes.
sys.setswitchinterval(0.0005)
# X-Forwarded-* is the application's to judge (TRUSTED_PROXIES), never the server's.
forwarded_allow_ips = ""
secure_scheme_headers: dict[str, str] = {}
forwarder_headers = ""
# bookshelf_site.middleware writes a line per request, with its id and without tokens.
accesslog = None
control_socket_disable = True
# The header can't be left out, but it needn't tell what runs here.
wsgi.SERVER = "Bookshelf"


def pre_request(worker: Any, request: Any) -> None:
    """Of a body that is too long to be passed over the answer says that the connection ends with it."""
    headers = dict(request.headers)
    length = headers.get("CONTENT-LENGTH", "0")
    if "TRANSFER-ENCODING" in headers or not length.isdigit() or int(length) > MOST_PASSED_OVER:
        request.force_close()


def worker_exit(server: Any, worker: Any) -> None:
    """Let the embedded relay finish what it is at before the process ends."""
    application = sys.modules.get("bookshelf_site.wsgi")  # not there if the process ends before it has loaded it
    if application:
        application.stop_relay()
