"""A round that is asked for again: after closing, by a second process, in its own middle, in a copy of the folder."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Sequence
from pathlib import Path

from client.audit.key.worker import Silent, hear, start_worker
from client.audit.way.charges import Walk, find_spends, hold_against_ledger
from client.audit.way.draws import end_here, listening
from client.audit.way.merchant import OpenMerchant
from common.errors import MessageError
from common.message.round import RoundRequest, encode_request
from common.message.wire import to_wire


def check_again(walk: Walk, shop: OpenMerchant, request: RoundRequest, wire: bytes, when: str) -> None:
    """Ask for an answered round again: the same bytes, at no cost and without a draw."""
    lines = shop.count_lines()
    with listening() as asked:
        again = shop.round(request)
    walk.say(again != wire, f"asked again {when}, a round leaves in other bytes")
    walk.say(bool(asked), f"asked again {when}, a round is drawn again")
    walk.say(shop.count_lines() != lines, f"asked again {when}, a round is charged again")


def check_reopened(walk: Walk, request: RoundRequest, number: int) -> None:
    """Answer, close, open, ask again, and go on with the next round."""
    with walk.merchant.opened() as shop:
        wire = shop.round(request)
        check_again(walk, shop, request, wire, "at once")
    with walk.merchant.opened() as shop:
        check_again(walk, shop, request, wire, "after closing and opening")
        following = walk.request(number)
        after = shop.round(following)
        hold_against_ledger(walk, shop, following, after)
    walk.note_noise(request, wire)
    walk.note_noise(following, after)


def check_interrupted(walk: Walk, number: int) -> None:
    """Let two processes answer one round at once: the second begins and ends while the first draws its noise.

    Both have computed a sum with a noise of its own around it; only one of them may ever leave.
    """
    request, sent = walk.request(number), list[bytes]()

    def answer_too() -> None:
        with walk.merchant.opened() as other:
            sent.append(other.round(request))

    with walk.merchant.opened() as shop:
        with listening(answer_too):
            sent.append(shop.round(request))
        walk.say(len(set(sent)) > 1, "two processes at once send two sums of one round: what leaves is not the sealed")
        for wire in sent:
            hold_against_ledger(walk, shop, request, wire)
    walk.note_noise(request, sent[-1])


def check_ended(walk: Walk, numbers: Sequence[int]) -> None:
    """End in the middle of a round, before its noise is drawn and after; it stays charged, and is answered once."""
    for number, moment in zip(numbers, ("during", "after"), strict=True):
        request = walk.request(number)
        with walk.merchant.opened() as shop, listening(**{moment: end_here}):
            try:
                shop.round(request)
            except MessageError:
                pass
            else:
                walk.say(True, "a round leaves that ended before it was sealed")
            walk.say(len(find_spends(shop.ledger, request)) != 1, "a round that ended in the middle is not charged")
        with walk.merchant.opened() as shop:
            wire = shop.round(request)
            hold_against_ledger(walk, shop, request, wire)
            check_again(walk, shop, request, wire, "after an end in its middle")
        walk.note_noise(request, wire)


def check_copied(walk: Walk, folder: Path, number: int) -> None:
    """Let a copy of the folder, as a backup or a copied machine is one, go on beside it: the noise is not the same."""
    shutil.copytree(walk.merchant.folder, folder)
    request, sent = walk.request(number), list[bytes]()
    for merchant in (walk.merchant, walk.merchant.in_folder(folder)):
        with merchant.opened() as shop:
            sent.append(shop.round(request))
    walk.say(sent[0] == sent[1], "a copy of the folder draws the same noise")
    walk.note_noise(request, sent[0])


def check_processes(walk: Walk, old: RoundRequest, numbers: Sequence[int]) -> None:
    """Let two fresh processes answer the same rounds at once, one of which was answered before."""
    files = []
    for place, request in enumerate([old, *map(walk.request, numbers)]):
        path = walk.merchant.folder / f"{place:04d}.request"
        path.write_bytes(to_wire(encode_request(request)))
        files.append(str(path))
    workers = [start_worker("answer", str(walk.merchant.folder), *files) for _ in range(2)]
    said: list[list[str]] = []
    for worker in workers:
        try:
            said.append(hear(worker))
        except Silent:
            walk.say(True, "a second process does not answer")
    with walk.merchant.opened() as shop:
        for place, request in enumerate([old, *map(walk.request, numbers)]):
            own = find_spends(shop.ledger, request)
            walk.say(len(own) != 1, "two processes at once do not charge a round once")
            sealed = {hashlib.sha256(shop.ledger.message(line) or b"").hexdigest() for line, _ in own}
            sent = {lines[place] for lines in said}
            walk.say(sent != sealed, "two processes at once send other bytes than are sealed")
