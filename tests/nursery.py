"""Where children are born with the shop in their memory: to import it takes longer than most of them live.

`python -m tests.nursery DESCRIPTOR` imports the shop and waits on that socket. Each child is forked off it, and is from
then on a process like any other, with connections, an end and an exit status of its own.
"""

from __future__ import annotations

import gc
import json
import os
import runpy
import socket
import sys

import django


def import_the_shop() -> None:
    from django.core.checks import run_checks
    from django.core.management import load_command_class

    django.setup()
    run_checks()
    for app, command in (("bookshelf_site.events", "relay"), ("catalog", "import_books"), ("inventory", "check_stock")):
        load_command_class(app, command)


def refuse_what_must_not_be_inherited() -> None:
    import threading

    from django.db import connections

    assert threading.active_count() == 1
    assert all(connection.connection is None for connection in connections.all(initialized_only=True))


def be_born(orders: socket.socket) -> list[str]:
    """Returns in each child, with its command."""
    minders = 0
    while True:
        command, descriptors, *_ = socket.recv_fds(orders, 1 << 16, 4)
        while minders and os.waitpid(-1, os.WNOHANG if command else 0)[0]:
            minders -= 1
        if not command:
            orders.close()
            sys.exit()
        minders += 1
        if os.fork() == 0:
            orders.close()
            mind_a_child(*descriptors)
            return list(json.loads(command))
        for descriptor in descriptors:
            os.close(descriptor)


def mind_a_child(standard_input: int, output: int, errors: int, news: int) -> None:
    """Returns in the child; tells its id, and once it has ended its exit status."""
    child = os.fork()
    if child == 0:
        os.close(news)
        os.setsid()
        for place, descriptor in enumerate((standard_input, output, errors)):
            os.dup2(descriptor, place)
            os.close(descriptor)
        return
    for descriptor in (standard_input, output, errors):
        os.close(descriptor)
    os.write(news, f"{child}\n".encode())
    _, status = os.waitpid(child, 0)
    os.write(news, f"{os.waitstatus_to_exitcode(status)}\n".encode())
    os._exit(0)


if __name__ == "__main__":
    import_the_shop()
    refuse_what_must_not_be_inherited()
    gc.freeze()  # a child that ended would look through all of it once more, and copy it for that
    sys.argv = be_born(socket.socket(fileno=int(sys.argv[1])))
    if sys.argv[0].endswith(".py"):
        runpy.run_path(sys.argv[0], run_name="__main__")
    else:
        runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
