"""Ask an HTTP server as fast as it answers: `python -m simulation.bench.load`, in a process of its own.

Each client keeps one connection, and asks again as soon as it has been answered. On standard input is a JSON object:
`host`, `port`, `head` (of every request, without Content-Length), `bodies` (asked in turn), `clients`, `seconds`. On
standard output comes one: `answers`, `faults`, `seconds`, `p50`, `p99` (milliseconds).
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from dataclasses import dataclass, field
from functools import partial
from itertools import cycle
from typing import cast

import numpy as np
import uvloop

GOOD = b"HTTP/1.1 200"
LENGTH = b"content-length:"
END = b"\r\n\r\n"


@dataclass
class Seen:
    """What the clients have seen."""

    latencies: list[float] = field(default_factory=list)
    faults: int = 0


class Client(asyncio.Protocol):
    """One connection that asks until the time is over."""

    def __init__(self, requests: list[bytes], start: int, until: float, seen: Seen) -> None:
        self._requests = cycle([*requests[start:], *requests[:start]])
        self._until, self._seen = until, seen
        self._buffer, self._wanted = bytearray(), 0
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the first time."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one but in name
        self._ask()

    def _ask(self) -> None:
        self._asked_at = time.perf_counter()
        if self._asked_at > self._until:
            self._transport.close()
            return
        self._transport.write(next(self._requests))

    def data_received(self, data: bytes) -> None:
        """Ask again once an answer is whole."""
        self._buffer += data
        if not self._wanted:
            end = self._buffer.find(END)
            if end < 0:
                return
            head = bytes(self._buffer[:end]).lower()
            self._wanted = end + len(END) + int(head.split(LENGTH, 1)[1].split(b"\r\n", 1)[0])
        if len(self._buffer) >= self._wanted:
            self._seen.faults += not self._buffer.startswith(GOOD)
            self._seen.latencies.append(time.perf_counter() - self._asked_at)
            self._buffer, self._wanted = bytearray(), 0
            self._ask()

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        if not self.done.done():
            self.done.set_result(None)


async def ask_for(host: str, port: int, requests: list[bytes], *, clients: int, seconds: float) -> dict[str, float]:
    """Ask for some seconds, and give what was seen."""
    loop, seen, began = asyncio.get_running_loop(), Seen(), time.perf_counter()
    until = began + seconds
    made = [
        await loop.create_connection(partial(Client, requests, start, until, seen), host, port)
        for start in range(clients)
    ]
    await asyncio.gather(*(client.done for _, client in made))
    took = time.perf_counter() - began
    p50, p99 = np.percentile(np.array(seen.latencies or [np.nan]) * 1e3, [50, 99])
    return {
        "answers": len(seen.latencies),
        "faults": seen.faults,
        "seconds": took,
        "p50": float(p50),
        "p99": float(p99),
    }


def main() -> None:
    """Do what standard input says."""
    asked = json.load(sys.stdin)
    requests = []
    for body in asked["bodies"]:
        raw = body.encode()
        requests.append(f"{asked['head']}Content-Length: {len(raw)}\r\n\r\n".encode() + raw)
    work = ask_for(asked["host"], asked["port"], requests, clients=asked["clients"], seconds=asked["seconds"])
    print(json.dumps(uvloop.run(work)))  # noqa: T201  what the parent reads


if __name__ == "__main__":
    main()
