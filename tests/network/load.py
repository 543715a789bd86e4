"""A part of a thousand merchants in one process: the line and the messages of a daemon, each with keys of its own.

What a merchant's daemon computes is left out: its sum is drawn from its name and the round's number, within what its
terms allow, so that whoever knows both can say what the coordinator's model must be.

Run as: python load.py PORT FOLDER NAME...
"""

from __future__ import annotations

import hashlib
import random
import signal
import sys
import threading
import time
from pathlib import Path

import numpy as np
import torch
from flwr.app import Message
from jaxtyping import Int64

from certs.key import NODE_CURVE, read_or_make_curve_key
from client.daemon.loop import SLOWEST_POLL_SECONDS
from common.message.round import RoundReply, encode_reply
from network.coordinator import Knocker
from network.scripted import ScriptedMerchant

LARGEST = 1 << 16  # of a number of a sum: 2⁻⁸ of the norm of one entity
BEGIN_SECONDS = 10.0  # over which everybody comes


def total_of(name: str, round_number: int, size: int) -> Int64[torch.Tensor, " parameter"]:
    """Draw a merchant's sum of a round: the same one for whoever asks."""
    seed = int.from_bytes(hashlib.sha256(f"{name} {round_number}".encode()).digest()[:8], "big")
    return torch.from_numpy(np.random.default_rng(seed).integers(-LARGEST, LARGEST, size))


def knocker_of(folder: Path, port: int) -> Knocker:
    """Read a merchant's keys, as `enroll` left them."""
    key = read_or_make_curve_key(folder / "node.key", NODE_CURVE)
    authority = folder.parents[1] / "certs" / "authority.pem"
    return Knocker(port, authority, folder / "tls.pem", folder / "tls.key", key)


def answer_with_own(merchant: ScriptedMerchant, message: Message, sound: RoundReply) -> Message:
    """Answer a round with the sum that `total_of` says."""
    total = total_of(merchant.name, sound.round_number, len(sound.total))
    return Message(encode_reply(RoundReply(sound.plan_hash, sound.round_number, total)), reply_to=message)


def main() -> None:
    """Be these merchants until SIGTERM; say how many errors each kind made."""
    port, folder, names = int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:]
    over = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: over.set())
    torch.set_num_threads(1)
    merchants = []
    for name in names:
        knocker = knocker_of(folder / name, port)
        merchant = ScriptedMerchant(knocker, script=answer_with_own, slowest_poll_seconds=SLOWEST_POLL_SECONDS)
        merchant.name = name
        merchants.append(merchant)
    for merchant in merchants:
        merchant.start()
        over.wait(random.uniform(0, 2 * BEGIN_SECONDS / len(names)))  # noqa: S311  not all at once
    over.wait()
    for merchant in merchants:
        merchant.leave()
    until = time.monotonic() + 20
    for merchant in merchants:
        merchant.join(max(0.0, until - time.monotonic()))
    models = {merchant.models[-1] for merchant in merchants if merchant.models}
    answered = [len(merchant.rounds) for merchant in merchants]
    errors = [error for merchant in merchants for error in merchant.errors]
    said = f"{len(merchants)} merchants, {min(answered)} to {max(answered)} answers each, {len(models)} models"
    print(f"{said}; {len(errors)} errors, {sorted(set(errors))[:3]}", flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
