"""`python -m benchmarks.load PORT CONNECTIONS SECONDS`: prints how many requests are answered a second.

The requests come on stdin, a JSON list of them; the connections share them out, each sends its own again and again.
"""

from __future__ import annotations

import json
import socket
import sys
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter


def answered(port: int, request: bytes, seconds: float) -> int:
    """How often the request is answered with 2xx on one connection that is kept alive."""
    times, end = 0, perf_counter() + seconds
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        while perf_counter() < end:
            connection.sendall(request)
            answer = connection.recv(65536)
            while b"\r\n\r\n" not in answer:
                answer += connection.recv(65536)
            head, _, body = answer.partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 2"), answer[:500]
            left = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0]) - len(body)
            while left > 0:
                left -= len(connection.recv(65536))
            times += 1
    return times


def main(port: int, connections: int, seconds: float) -> None:
    requests = [request.encode() for request in json.load(sys.stdin)]
    started = perf_counter()
    with ThreadPoolExecutor(connections) as pool:
        sent = [requests[number % len(requests)] for number in range(connections)]
        times = sum(pool.map(lambda request: answered(port, request, seconds), sent))
    print(times / (perf_counter() - started))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]))
