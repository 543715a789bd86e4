"""Honest members who go on asking, whoever attacks beside them, and how long they wait."""

from __future__ import annotations

import asyncio
import random
import ssl
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from network.coordinator import PROTOBUF, Knocker
from network.doorway import proper_headers, write_request

ATTACKS = {"silent": 3000, "shaking": 8, "half": 60, "dripping": 20, "pouring": 20}
BODY_BYTES = 39 << 20


@dataclass
class Figures:
    """How long members waited for an answer, who got one, and how often there was none and they asked again."""

    waits: list[float] = field(default_factory=list)
    answered: set[Path] = field(default_factory=set)
    failures: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        ordered = sorted(self.waits) or [float("nan")]
        at = {share: ordered[min(len(ordered) - 1, int(share * len(ordered)))] for share in (0.5, 0.95)}
        return (
            f"{len(self.waits):5d} answers, {len(self.failures)} failures {Counter(self.failures).most_common(2)}; "
            f"median {at[0.5]:.3f} s, 95 % {at[0.95]:.3f} s, longest {ordered[-1]:.3f} s"
        )


def go_on(
    knockers: Sequence[Knocker], bodies: Sequence[bytes], path: str, *, seconds: float, pause: float, welcome: set[int]
) -> Figures:
    """Have every member ask again and again, each over a line of its own that stays open, and count what it is told."""
    figures = Figures()

    async def ask(knocker: Knocker, body: bytes, until: float) -> None:
        tls = ssl.create_default_context(cafile=knocker.authority)
        assert knocker.certificate is not None
        tls.load_cert_chain(knocker.certificate, knocker.tls_key)
        async with httpx.AsyncClient(base_url=f"https://127.0.0.1:{knocker.port}", verify=tls, timeout=60) as client:
            await asyncio.sleep(random.uniform(0, pause))  # noqa: S311  not all at once
            while True:  # once at least, however slow the machine
                began = time.monotonic()
                try:
                    answer = await client.post(path, content=body, headers=PROTOBUF | knocker.sign())
                    if answer.status_code not in welcome:
                        figures.failures.append(f"{answer.status_code} {answer.text[:80]}")
                    figures.waits.append(time.monotonic() - began)
                    figures.answered.add(knocker.tls_key)
                except httpx.HTTPError as error:
                    figures.failures.append(repr(error))
                if time.monotonic() >= until:
                    return
                await asyncio.sleep(pause)

    async def everyone() -> None:
        until = time.monotonic() + seconds
        await asyncio.gather(*(ask(knocker, body, until) for knocker, body in zip(knockers, bodies, strict=True)))

    asyncio.run(everyone())
    return figures


@contextmanager
def attacking(kind: str, attacker: Knocker, folder: Path, *, amount: int) -> Iterator[None]:
    """Attack with the certificate of a member until the block ends."""
    assert attacker.certificate is not None
    own = attacker.certificate.parent
    (own / "authority.pem").write_bytes(attacker.authority.read_bytes())
    headers = [(n, b"%d" % BODY_BYTES if n == b"content-length" else v) for n, v in proper_headers(attacker)]
    head = folder / f"{kind}.head"
    head.write_bytes(write_request(headers))
    words = [kind, str(amount), str(attacker.port), str(own), str(head)]
    command = [sys.executable, str(Path(__file__).with_name("attack.py")), *words]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        yield
        assert process.poll() is None, "the attack went on"
    finally:
        process.kill()
        process.wait()
