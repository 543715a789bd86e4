"""A merchant's end of a plan whose sums are secure: keys, shares, masked sums, one agreed set, what is revealed.

Each step goes through the merchant's member of the session (`client.secure_sum.member`), which keeps everything on the
disk before it is returned and says the same again in the same bytes. What is charged is the masked sum, as any sum is:
reserve, compute, mask, seal, send (`client.round.answers`). The sum without its masks is kept nowhere.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

import numpy as np
import torch
from flwr.app import RecordDict
from jaxtyping import Int64
from torch import Tensor

from client.round.answers import Answers
from client.secure_sum.member import SumMember
from common.errors import HansaError, MessageError, PrivacyError
from common.message import sum_agree, sum_keys, sum_reveal, sum_shares
from common.message.sum_place import Place
from common.message.sum_reveal import Revealed
from common.message.sum_round import SumReply, SumRequest, decode_sum_request, encode_sum_reply

LOGGER = logging.getLogger(__name__)


class SumAnswers:
    """Answer every message of one session, or refuse it with a HansaError.

    Parameters
    ----------
    run_hash
        Names the plan, and whether it runs with noise, on every message.
    num_rounds
        The rounds that this merchant agreed to.
    """

    def __init__(self, member: SumMember, *, run_hash: str, num_rounds: int) -> None:
        self._member, self._run_hash, self._num_rounds = member, run_hash, num_rounds

    def keys(self, content: RecordDict) -> RecordDict:
        """Give this merchant's one-time keys of some rounds."""
        place, num_rounds = sum_keys.decode_question(content)
        self._require(place, last_round=place.round_number + num_rounds - 1)
        rounds = range(place.round_number, place.round_number + num_rounds)
        return sum_keys.encode_keys(place, [self._member.keys(number, 1) for number in rounds])

    def shares(self, content: RecordDict) -> RecordDict:
        """Give this merchant's sealed shares of one round."""
        place, keys = sum_shares.decode_question(content)
        self._require(place)
        return sum_shares.encode_shares(place, self._member.shares(place.round_number, keys))

    def answer(self, content: RecordDict, answers: Answers) -> RecordDict:
        """Give this merchant's masked sum of a round, and its shares for the next one."""
        request = decode_sum_request(content, size=answers.size)
        place = request.place
        self._require(place)

        def mask(total: Int64[Tensor, " parameter"]) -> RecordDict:
            vector = self._member.mask(
                place.round_number,
                total.numpy(force=True),
                request.shares,
                model_hash=request.asked.model_hash,
            )
            masked = torch.from_numpy(vector.view(np.int64).copy())
            return encode_sum_reply(SumReply(place, masked, self._next_shares(request)))

        sealed = answers.answer_in(request.asked, mask)
        self._member.close_before(place.round_number)  # the coordinator has gone on
        return sealed

    def agree(self, content: RecordDict, *, charged: Callable[[int], str | None]) -> RecordDict:
        """Sign who survived a round.

        Parameters
        ----------
        charged
            Names the model at which this merchant has computed its sum of a round; None where it has not.
        """
        asked = sum_agree.decode_question(content)
        self._require(asked.place)
        if asked.model_hash != charged(asked.place.round_number):
            raise PrivacyError(
                f"A set of merchants of round {asked.place.round_number} is asked for at another model than this "
                "merchant's sum was computed at; it is not signed."
            )
        signature = self._member.agree(asked.place.round_number, asked.model_hash, asked.survivors)
        return sum_agree.encode_signature(asked.place, signature)

    def reveal(self, content: RecordDict) -> RecordDict:
        """Tell one share of each member of a round, once enough have signed who survived."""
        place, signatures = sum_reveal.decode_question(content)
        self._require(place)
        reveal = self._member.reveal(place.round_number, signatures)
        return sum_reveal.encode_revealed(place, Revealed(reveal.self_shares, reveal.key_shares))

    def _next_shares(self, request: SumRequest) -> Mapping[str, bytes]:
        """Make the shares of the next round; what is wrong with its keys costs this round nothing."""
        following = request.place.round_number + 1
        if not request.next_keys or following > self._num_rounds:
            return {}
        try:
            return self._member.shares(following, request.next_keys)
        except HansaError as error:
            LOGGER.warning("No shares of round %d yet: %s", following, error)
            return {}

    def _require(self, place: Place, *, last_round: int = 0) -> None:
        """Refuse what is about another session, or beyond the plan's rounds.

        Raises
        ------
        MessageError
            It is.
        """
        if (place.plan_hash, place.session_hash) != (self._run_hash, self._member.session.hash):
            raise MessageError("A message is about another sum than the one that was accepted; propose it first.")
        if max(place.round_number, last_round) > self._num_rounds:
            raise MessageError(f"A message is about a round beyond the {self._num_rounds} that were accepted.")
