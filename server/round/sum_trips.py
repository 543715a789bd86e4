"""The trips of one round of a secure sum: keys and shares where they are missing, masked sums, one set, its shares.

    keys, shares    before a round, of those who have none for it: at the beginning, and when a member comes back
    masked          the model out, masked sums back; keys and shares of the next round ride along
    agree, reveal   who survived, signed by the threshold of them; then the shares that take their masks off

The last two are in `server.round.sum_closing`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from typing import TypeVar

import numpy as np
from flwr.app import MessageType, RecordDict
from flwr.serverapp import Grid
from jaxtyping import Int64

from common.errors import MessageError
from common.message import sum_keys, sum_shares
from common.message.round import RoundRequest
from common.message.sum_place import Place, require_same_place
from common.message.sum_round import SumRequest, decode_sum_reply, encode_sum_request
from common.secure_sum.keys import SignedKeys, verify_keys
from common.secure_sum.mask import Vector
from common.secure_sum.roster import Session
from common.secure_sum.sealing import SEALED_BYTES
from server.round.collection import Cause, Refusal
from server.round.sum_book import Step, SumBook
from server.round.sum_closing import Closing
from server.round.trip import Trip, wait_for
from server.secure_sum.round import SumRound

Answer = TypeVar("Answer")
KEYS_AHEAD = 32  # rounds of which a member sends its keys at once
BRIEF_SECONDS = 4.0  # what the rest is waited for before a round that can be held; an older daemon looks every 3


class SumTrips:
    """Hold the trips of one round, and note what came of each.

    Parameters
    ----------
    names
        Of everyone who takes part and can be asked, by node id.
    timeout_seconds
        For each trip.
    not_awaited
        Nodes that hold nobody up.
    withdrawn
        Asked again and again: nodes that take no part any more.

    Attributes
    ----------
    refused
        Why a member's answer does not count, by name and trip.
    seconds
        How long each trip took, by its name.
    """

    def __init__(
        self,
        grid: Grid,
        session: Session,
        place: Place,
        *,
        names: Mapping[int, str],
        timeout_seconds: float,
        not_awaited: Collection[int],
        withdrawn: Callable[[], Collection[int]],
    ) -> None:
        self._grid, self._session, self._place, self._names = grid, session, place, names
        self._nodes = {name: node for node, name in names.items()}
        self._timeout_seconds, self._not_awaited, self._withdrawn = timeout_seconds, not_awaited, withdrawn
        self._came: dict[str, int] = {}  # the place of each member's masked sum in the order of their coming
        self._closing: Closing | None = None
        self.refused: dict[str, Refusal] = {}
        self.seconds: dict[str, float] = {}
        self.sent_bytes = self.received_bytes = 0

    async def gather_keys(self, book: SumBook, *, num_rounds: int) -> None:
        """Ask everyone whose keys of this round or the next are not known for a block of them."""
        wanted = {name: first for name in self._nodes if (first := self._first_without(book, name, num_rounds))}

        def count(first: int) -> int:
            return min(KEYS_AHEAD, num_rounds - first + 1)

        def read(name: str, content: RecordDict) -> None:
            place, keys = sum_keys.decode_keys(content, num_rounds=count(wanted[name]))
            require_same_place(place, self._at(wanted[name]))
            for signed in keys:
                verify_keys(self._session, name, signed)
            book.note_keys(name, keys)

        contents = {
            name: sum_keys.encode_question(self._at(first), num_rounds=count(first)) for name, first in wanted.items()
        }
        await self._ask_before("keys", sum_keys.KEYS, contents, read, known=lambda: book.keys(self._place.round_number))

    async def gather_shares(self, book: SumBook, keys: Mapping[str, SignedKeys]) -> set[str]:
        """Ask everyone of this round whose shares are missing for them.

        Returns
        -------
        set
            Who declined: it may have lost what its keys belong to, so later ones are forgotten and asked for anew.
        """
        number = self._place.round_number
        missing = (keys.keys() - book.shares(number).keys()) & self._nodes.keys()

        def read(name: str, content: RecordDict) -> None:
            place, shares = sum_shares.decode_shares(content)
            require_same_place(place, self._place)
            require_shares(shares, recipients=keys.keys() - {name})
            book.note_shares(number, {name: shares})

        question = sum_shares.encode_question(self._place, keys)
        contents = dict.fromkeys(sorted(missing), question)
        await self._ask_before("shares", sum_shares.SHARES, contents, read, known=lambda: book.shares(number))
        declined = {
            name
            for name in missing - book.shares(number).keys()
            if name in self.refused and self.refused[name].cause is Cause.DECLINED
        }
        for name in declined:
            book.forget_keys(name, after=number)
        return declined

    async def gather_masked(
        self,
        sums: SumRound,
        asked: RoundRequest,
        book: SumBook,
        *,
        have: dict[str, Vector],
        next_keys: Mapping[str, SignedKeys],
    ) -> None:
        """Send the model to every participant, and take masked sums in.

        Parameters
        ----------
        have
            The masked sums that are there, from an earlier attempt; grows.
        """
        next_shares: dict[str, Mapping[str, bytes]] = {}

        def read(name: str, content: RecordDict) -> None:
            reply = decode_sum_reply(content, size=len(asked.parameters))
            require_same_place(reply.place, self._place)
            self._came.setdefault(name, len(self._came))
            have[name] = reply.total.numpy().view(np.uint64)
            if reply.next_shares:
                require_shares(reply.next_shares, recipients=next_keys.keys() - {name})
                next_shares[name] = reply.next_shares

        contents = {
            name: encode_sum_request(SumRequest(self._place, asked, sums.shares_for(name), next_keys))
            for name in sums.participants()
            if name in self._nodes and name not in have
        }
        trip = self._trip(MessageType.TRAIN, contents, read)
        began = time.monotonic()
        enough = self._session.threshold
        await wait_for(
            trip,
            is_enough=lambda: len(have) >= enough,
            not_awaited=self._not_awaited,
            withdrawn=self._withdrawn,
        )
        book.note_shares(self._place.round_number + 1, next_shares)
        for node in set(self._withdrawn()) & self._names.keys():
            have.pop(self._names[node], None)
        self._note("masked", trip, began)

    async def agree(self, sums: SumRound, survivors: Collection[str]) -> bool:
        """Have the survivors sign their set and reveal its shares; whether enough did both."""
        began, threshold = time.monotonic(), self._session.threshold
        quickest = sorted(survivors, key=lambda name: self._came.get(name, len(self._came)))
        closing = self._closing = Closing(
            self._grid,
            sums,
            self._place,
            nodes={name: self._nodes[name] for name in quickest if name in self._nodes},
            timeout_seconds=self._timeout_seconds,
            withdrawn=self._withdrawn,
        )
        is_done = await closing.hold()
        if closing.agreed_seconds is not None:
            self.seconds["agree"] = round(closing.agreed_seconds, 3)
        self._note("agree", closing.agreeing, began, is_late=len(closing.signed) < threshold)
        self._note("reveal", closing.revealing, began, is_late=not is_done)
        return is_done

    async def total(self) -> Int64[np.ndarray, " parameter"]:
        """Give the sum of the survivors, once they have agreed.

        Raises
        ------
        MessageError
            What they revealed gives none.
        """
        if self._closing is None:
            raise MessageError("nobody has agreed yet")
        return await self._closing.total()

    def _first_without(self, book: SumBook, name: str, num_rounds: int) -> int:
        """Give the round from which on a member's keys are missing: this one or the next; 0 where they are there."""
        now = self._place.round_number
        for number in (now, now + 1):
            if number <= num_rounds and not book.fixed(number, Step.KEYS) and name not in book.keys(number):
                return number
        return 0

    async def _ask_before(
        self,
        step: str,
        message_type: str,
        contents: Mapping[str, RecordDict],
        read: Callable[[str, RecordDict], None],
        *,
        known: Callable[[], Collection[str]],
    ) -> None:
        """Ask before a round; once it can be held, the rest is waited for briefly."""
        if not contents:
            return
        began, threshold = time.monotonic(), self._session.threshold
        trip = self._trip(message_type, contents, read)
        await wait_for(
            trip,
            is_enough=lambda: len(known()) >= threshold,
            patience_seconds=BRIEF_SECONDS,
            not_awaited=self._not_awaited,
            withdrawn=self._withdrawn,
        )
        self._note(step, trip, began)

    def _trip(
        self, message_type: str, contents: Mapping[str, RecordDict], read: Callable[[str, RecordDict], Answer]
    ) -> Trip[Answer]:
        trip = Trip(
            self._grid,
            message_type,
            read=lambda node, content: read(self._names[node], content),
            timeout_seconds=self._timeout_seconds,
            group_id=str(self._place.round_number),
        )
        trip.ask({self._nodes[name]: content for name, content in contents.items()})
        return trip

    def _note(self, step: str, trip: Trip[Answer], began: float, *, is_late: bool = True) -> None:
        """Keep what a trip took and carried; who was not waited for has refused nothing."""
        self.seconds.setdefault(step, round(time.monotonic() - began, 3))
        self.sent_bytes += trip.sent_bytes
        self.received_bytes += trip.received_bytes
        for node, refusal in trip.refusals.items():
            if is_late or refusal.cause is not Cause.LATE:
                self.refused.setdefault(self._names[node], Refusal(refusal.cause, refusal.detail or step))

    def _at(self, round_number: int) -> Place:
        return Place(self._place.plan_hash, self._place.session_hash, round_number)


def require_shares(shares: Mapping[str, bytes], *, recipients: Collection[str]) -> None:
    """Refuse shares that are not one sealed bundle for everyone whose keys went out.

    Raises
    ------
    MessageError
        They are not.
    """
    if set(shares) != set(recipients) or any(len(sealed) != SEALED_BYTES for sealed in shares.values()):
        raise MessageError("a member's shares are not one for everyone whose keys it was sent")
