"""A merchant's answer log on its ledger: every round is charged before it is computed, and sealed before it is sent.

What may be agreed to is said in `client.account.agreement`. Nothing here looks at the data; no refusal depends on it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime

from flwr.app import RecordDict

from client.account.agreement import Agreement
from client.account.company import CallReader, Company, require_company
from client.account.ledger.entry import Spend
from client.account.ledger.ledger import Ledger, now_utc
from client.account.policy import is_within_hours
from common.errors import MessageError, PrivacyError
from common.message.round import RoundRequest, decode_reply
from common.message.wire import from_wire, to_wire
from common.privacy.mechanism import Mechanism

LOGGER = logging.getLogger(__name__)


def charged_model(ledger: Ledger, agreement: Agreement, round_number: int) -> str | None:
    """Name the model, by its hash, that a round was charged for; None where it was not."""
    charged = agreement.policy.dataset, agreement.offer.run_hash, round_number
    spends = (entry for entry in ledger.entries if isinstance(entry, Spend))
    found = (spend for spend in spends if (spend.dataset, spend.plan_hash, spend.round_number) == charged)
    return next((spend.model_hash for spend in found), None)


class LedgerAnswerLog:
    """Charge every round to the merchant's ledger, and seal every answer in it.

    Notes
    -----
    **Guarantee**

    - A spend is on the disk before anything is computed for it, and a message before it is sent.
    - Killed between the two, the round stays charged. Asked for again, it is computed again with fresh noise at no
      further cost: what the first computation gave was never sealed, so it never left.
    - For one spend there is at most one sealed message, also when several processes answer at once; whoever seals
      second sends what was sealed first.
    - `renew` is asked before anything is charged and before anything is sent: what it refuses is neither.
    - A round in smaller company than the policy's smallest_cohort is not answered, and nothing is charged for it.
    - Where noise is shared nothing is sealed that is a merchant's own sum without its masks.

    Parameters
    ----------
    renew
        Holds the agreement against the policy as it is now: `client.account.standing.Standing.renew` where data is
        real. Left out, the policy stays as it was.
    calls
        Reads who is asked in a round; None reads no call, so that the merchant counts as alone in every round.
    """

    def __init__(
        self,
        ledger: Ledger,
        agreement: Agreement,
        *,
        renew: Callable[[Agreement], Agreement] | None = None,
        calls: CallReader | None = None,
        clock: Callable[[], datetime] = now_utc,
    ) -> None:
        self._ledger, self._agreement, self._calls, self._clock = ledger, agreement, calls, clock
        self._renew = renew or (lambda agreed: agreed)

    def follow(self, agreement: Agreement) -> None:
        """Go on under the same agreement with a coordinator whose key was followed by another."""
        self._agreement = agreement

    def reserve(self, request: RoundRequest, mechanism: Mechanism) -> RecordDict | None:
        """Charge the round, unless it is charged; return its sealed answer where there is one.

        Raises
        ------
        HansaError
            The policy does not allow the plan any more, the mechanism is not the one agreed on, it is outside the
            policy's hours, too few are asked, or the ledger refuses.
        """
        self._agreement = self._renew(self._agreement)
        self._check(request, mechanism)
        require_company(self._agreement.policy, self._agreement.offer.plan, self._company(request))
        if mechanism.noise_multiplier == 0:
            LOGGER.warning(
                "Round %d of plan %s leaves WITHOUT NOISE: whoever sees it can learn about single entities.",
                request.round_number,
                request.plan_hash[:12],
            )
        sealed = self._ledger.message(self._charge(request))
        return None if sealed is None else from_wire(sealed)

    def seal(self, request: RoundRequest, answer: RecordDict) -> RecordDict:
        """Seal the answer for the round's spend; return what may be sent.

        Raises
        ------
        HansaError
            The policy was taken back meanwhile; the answer is sealed, and leaves once it is allowed again.
        """
        if self._agreement.is_shared:
            _require_masked(answer, size=self._agreement.num_coordinates)
        sealed = self._ledger.seal(self._charge(request), to_wire(answer), at=self._clock())
        self._renew(self._agreement)
        return from_wire(sealed)

    def model_of(self, round_number: int) -> str | None:
        """Name the model, by its hash, that a round was charged for; None where it was not."""
        return charged_model(self._ledger, self._agreement, round_number)

    def _charge(self, request: RoundRequest) -> int:
        """Return the number of the round's spend, which is written now if it was not before."""
        policy, offer = self._agreement.policy, self._agreement.offer
        spend = self._agreement.spend(
            round_number=request.round_number,
            model_hash=request.model_hash,
            at=self._clock(),
            company=self._company(request),
        )
        return self._ledger.reserve(
            spend,
            policy.budgets,
            ceilings=policy.ceilings,
            allow_without_noise=policy.plan.allow_training_without_noise,
            num_rounds=max(1, offer.training.num_rounds - request.round_number + 1),
        )

    def _company(self, request: RoundRequest) -> Company | None:
        return None if self._calls is None else self._calls.read_of(request)

    def _check(self, request: RoundRequest, mechanism: Mechanism) -> None:
        agreement = self._agreement
        if mechanism != agreement.mechanism or request.plan_hash != agreement.offer.run_hash:
            raise PrivacyError("A round would run with other noise or under another plan than agreed; agree anew.")
        if agreement.is_shared and agreement.session is None:
            raise PrivacyError("A round of a secure sum comes without a roster that was agreed on; propose it first.")
        if request.parameters.numel() != agreement.num_coordinates:
            raise PrivacyError("A round asks for another number of parameters than agreed; agree anew.")
        if not is_within_hours(agreement.policy.plan.hours, self._clock().astimezone()):
            raise PrivacyError("A round came outside the policy's plan.hours; it can be asked for again within them.")


def _require_masked(answer: RecordDict, *, size: int) -> None:
    """Refuse to seal what anybody could read: a merchant's own sum, behind no more than its part of the noise.

    Raises
    ------
    PrivacyError
        The answer has the form of a sum that trusts nobody.
    """
    try:
        decode_reply(answer, size=size)
    except MessageError:
        return
    raise PrivacyError("A round of a secure sum was answered without masks; nothing of it is kept or sent.")
