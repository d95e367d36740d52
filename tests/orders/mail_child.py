"""A relay in a process of its own: `python -m tests.orders.mail_child [NUMBER]`.

It sends to EMAIL_URL, and after that many mails kills itself, as the kernel would: before it can say that it has sent.
"""

from __future__ import annotations

import os
import signal
import sys
from dataclasses import replace
from datetime import timedelta
from typing import Any

import django

LEASE = timedelta(seconds=0.3)


def die_after(mails: int) -> None:
    from bookshelf_site.events.signals import RECEIVERS, SIGNALS

    sent: list[object] = []
    for uid, durable in list(RECEIVERS.items()):
        is_mail = uid.startswith("orders.mail_")
        function = _mortal(durable.function, sent, mails) if is_mail else durable.function
        # what it leaves behind is claimed with the longest lease of all that it has claimed
        RECEIVERS[uid] = mortal = replace(durable, function=function, lease=LEASE)
        for heard in SIGNALS:
            if uid in heard.durable:
                heard.durable[uid] = mortal


def _mortal(function: Any, sent: list[object], mails: int) -> Any:
    def receiver(**kwargs: Any) -> Any:
        outcome = function(**kwargs)
        if getattr(outcome, "status", "") == "sent":
            sent.append(outcome)
        if len(sent) == mails:
            os.kill(os.getpid(), signal.SIGKILL)
        return outcome

    return receiver


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bookshelf_site.settings")
    django.setup()
    if len(sys.argv) > 1:
        die_after(int(sys.argv[1]))
    from django.core.management import execute_from_command_line

    execute_from_command_line(["manage.py", "relay", "--once"])
