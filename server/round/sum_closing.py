"""The end of a round of a secure sum: survivors sign their set, then reveal the shares that take its masks off.

The threshold of them is enough, so no more are asked at first, the quickest of this round before the others: less is
told, and a round takes less. Another one is asked for each that declines, and all of them where some do not come, or
where what came gives no sum. The two steps overlap: whoever has signed is asked for its shares as soon as there are
signatures enough.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection, Mapping

import numpy as np
from flwr.app import RecordDict
from flwr.serverapp import Grid
from jaxtyping import Int64

from common.errors import MessageError
from common.message import sum_agree, sum_reveal
from common.message.sum_place import Place, require_same_place
from common.secure_sum.recovery import Reveal
from server.round.collection import Cause
from server.round.trip import Pauses, Trip
from server.secure_sum.round import Phase, SumRound

SPARE_SECONDS = 1.0  # after which those are asked too who are not needed where everybody answers
BRIEF_SECONDS = 4.0  # that the others have to reveal where what came gives no sum


class Closing:
    """Close one round.

    Parameters
    ----------
    nodes
        Of the survivors that can be asked, by name, in the order in which they are.
    timeout_seconds
        For both steps together.
    withdrawn
        Asked again and again: nodes that take no part any more.

    Attributes
    ----------
    agreeing, revealing
        The questions of each step.
    signed, revealed
        Who has done each.
    agreed_seconds
        After which there were signatures enough; None where there are not.
    """

    def __init__(
        self,
        grid: Grid,
        sums: SumRound,
        place: Place,
        *,
        nodes: Mapping[str, int],
        timeout_seconds: float,
        withdrawn: Callable[[], Collection[int]],
    ) -> None:
        self._grid, self._sums, self._place, self._nodes, self._withdrawn = grid, sums, place, nodes, withdrawn
        self._names = {node: name for name, node in nodes.items()}
        self._spare = list(nodes)
        self._shown: RecordDict | None = None
        self._shown_to = set[str]()
        self._began = time.monotonic()
        self.signed, self.revealed = set[str](), set[str]()
        self.agreed_seconds: float | None = None
        self.agreeing = self._trip(sum_agree.AGREE, self._read_signature, timeout_seconds)
        self.revealing = self._trip(sum_reveal.REVEAL, self._read_shares, timeout_seconds)

    async def hold(self) -> bool:
        """Ask until enough have revealed; whether they have."""
        enough = self._sums.session.threshold
        return await self._go_on(lambda: len(self.revealed) >= enough, spare_seconds=SPARE_SECONDS)

    async def total(self) -> Int64[np.ndarray, " parameter"]:
        """Take the masks off; where what was revealed gives no sum, the others are asked too.

        Raises
        ------
        MessageError
            What everybody revealed gives none.
        """
        try:
            return self._sums.total()
        except MessageError:
            if not await self._go_on(self._sums.is_settled, spare_seconds=0.0, longest_seconds=BRIEF_SECONDS):
                raise
        return self._sums.total()

    async def _go_on(
        self, is_done: Callable[[], bool], *, spare_seconds: float, longest_seconds: float = math.inf
    ) -> bool:
        pauses, began = Pauses(self._grid), time.monotonic()
        while True:
            came = self._sweep()
            if is_done():
                return True
            is_patient = time.monotonic() < began + spare_seconds
            asked = self._ask_more(self._missing() if is_patient else len(self._spare))
            is_over = self.agreeing.is_over and self.revealing.is_over and not asked
            if is_over or time.monotonic() > began + longest_seconds:
                return False
            await pauses.wait(came=came or asked)

    def _missing(self) -> int:
        """Count how many more have to be asked for enough to be hoped for."""
        failed = {
            self._names[node]
            for trip in (self.agreeing, self.revealing)
            for node, refusal in trip.refusals.items()
            if refusal.cause is not Cause.LATE
        }
        return max(0, self._sums.session.threshold - len(self._nodes.keys() - set(self._spare) - failed))

    def _ask_more(self, number: int) -> bool:
        """Ask so many more for their signatures, as far as there are any; whether there were."""
        some, self._spare = self._spare[:number], self._spare[number:]
        if some:
            survivors = self._sums.survivors()
            question = sum_agree.encode_question(self._place, model_hash=self._sums.model_hash, survivors=survivors)
            self.agreeing.ask({self._nodes[name]: question for name in some})
        return bool(some)

    def _sweep(self) -> bool:
        """Look once at all that is open, and ask for shares whose time has come; whether something came."""
        came = self.agreeing.sweep()
        if len(self.signed) >= self._sums.session.threshold and (new := sorted(self.signed - self._shown_to)):
            if self._shown is None:
                self._shown = sum_reveal.encode_question(self._place, self._sums.signatures())
                self.agreed_seconds = time.monotonic() - self._began
            self.revealing.ask(dict.fromkeys((self._nodes[name] for name in new), self._shown))
            self._shown_to.update(new)
        came = self.revealing.sweep() or came
        for trip in (self.agreeing, self.revealing):
            trip.leave_out(self._withdrawn())
        return came

    def _read_signature(self, node: int, content: RecordDict) -> None:
        place, signature = sum_agree.decode_signature(content)
        require_same_place(place, self._place)
        if self._sums.phase == Phase.SIGNATURES:
            self._sums.add_signature(self._names[node], signature)
        self.signed.add(self._names[node])

    def _read_shares(self, node: int, content: RecordDict) -> None:
        place, shares = sum_reveal.decode_revealed(content)
        require_same_place(place, self._place)
        self._sums.add_reveal(self._names[node], Reveal(shares.self_shares, shares.key_shares))
        self.revealed.add(self._names[node])

    def _trip(self, kind: str, read: Callable[[int, RecordDict], None], timeout_seconds: float) -> Trip[None]:
        number = str(self._place.round_number)
        return Trip(self._grid, kind, read=read, timeout_seconds=timeout_seconds, group_id=number)
