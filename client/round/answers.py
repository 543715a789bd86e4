"""A merchant's end of a round: decide whether to answer, and answer the same question always the same way.

Nothing here trusts the coordinator. What a refusal depends on is the request and what was asked before, never
the data: a refusal is a message too.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock

import torch
from flwr.app import Context, Message, RecordDict
from flwr.clientapp import ClientApp
from jaxtyping import Int64
from torch import Tensor

from client.account.answer_log import AnswerLog, MemoryAnswerLog
from client.round.training import train_round
from common.errors import ConfigError, DataError, MessageError, PrivacyError
from common.message.decline import DECLINED
from common.message.round import RoundReply, RoundRequest, decode_request, encode_reply
from common.model.demand_gru import get_vector
from common.model.features import Series, count_trainable
from common.model.warm.start import start_training
from common.plan.leg import leg_of, legs_of
from common.plan.schema import Plan
from common.privacy.mechanism import Mechanism
from common.privacy.noise import NoiseSource, SecureNoise

LOGGER = logging.getLogger(__name__)
Answer = Callable[[RecordDict], RecordDict]
Write = Callable[[Int64[Tensor, " parameter"]], RecordDict]
Handler = Callable[[Message, Context], Message]


@dataclass(frozen=True)
class Merchant:
    """What this merchant decided before the first round.

    Attributes
    ----------
    plan
        The approved plan.
    num_rounds
        The rounds that this merchant pays for; `mechanism` was chosen for as many.
    series
        The merchant's own data, on the CPU; it may be empty.
    noise
        `SecureNoise` where the data is real.
    device
        Where gradients are computed.
    answer_log
        Where rounds are charged and their answers sealed: `client.account.ledger.answer_log.LedgerAnswerLog` where
        data is real; None keeps them in memory, for a simulation.
    rehearsal
        The merchant's data up to one horizon earlier, for the first leg of a plan that rehearses
        (`common.plan.leg`); without it every round is computed from `series`.

    Raises
    ------
    ConfigError
        If `num_rounds` is below 1.
    PrivacyError
        If rounds are charged to a ledger for noise that can be replayed.
    """

    plan: Plan
    num_rounds: int
    series: Series
    mechanism: Mechanism
    noise: NoiseSource
    device: torch.device
    answer_log: AnswerLog | None = None
    rehearsal: Series | None = None

    def __post_init__(self) -> None:
        if self.num_rounds < 1:
            raise ConfigError(f"num_rounds is {self.num_rounds}: a merchant takes part in at least 1 round.")
        if self.answer_log is not None and not isinstance(self.noise, SecureNoise):
            raise PrivacyError("A ledger charges for noise that nobody can replay; use SecureNoise with an answer log.")

    @property
    def run_hash(self) -> str:
        """Names the plan, and whether it runs with noise, on every message."""
        return self.plan.run_hash(private=self.mechanism.noise_multiplier > 0)

    def find_series(self, round_number: int) -> tuple[Series, int]:
        """Give the data of a round, and the round's place in its leg."""
        if self.rehearsal is None:
            return self.series, round_number
        legs = legs_of(self.plan, private=self.mechanism.noise_multiplier > 0)
        leg = leg_of(legs, round_number)
        return self.rehearsal if leg == legs[0] else self.series, leg.place(round_number)

    @property
    def mu_squared(self) -> float:
        """What all rounds add to mu squared together; infinite without noise."""
        return self.num_rounds * self.mechanism.mu_squared


def make_client_app(train: Answer, *, queries: Mapping[str, Answer] | None = None) -> ClientApp:
    """Make the one ClientApp that there is, for the merchant's daemon and for a simulation.

    Parameters
    ----------
    train
        Answers a round or refuses it with a HansaError: `Answers.answer`, or where several plans may be under way
        `client.daemon.handlers.Handlers.answer`, which chooses among several `Answers`.
    queries
        What else may be asked, by the name after "query.".

    Returns
    -------
    ClientApp
        Whatever it refuses, or fails at, leaves as one and the same MessageError.
    """
    app = ClientApp()
    app.train()(_handler(train))
    for name, answer in (queries or {}).items():
        app.query(name)(_handler(answer))
    return app


def _handler(answer: Answer) -> Handler:
    def handle(message: Message, context: Context) -> Message:
        with declining():
            return Message(answer(message.content), reply_to=message)

    return handle


@contextmanager
def declining() -> Iterator[None]:
    """Let nothing out of a refusal or a failure inside but one word; the log says why."""
    try:
        yield
    except Exception as error:
        _log(error)
        raise MessageError(DECLINED) from None


class Answers:
    """Answer each round of one plan once, and whoever asks the same again in the same bytes.

    Notes
    -----
    **Guarantee**

    - A round is answered once, rounds only go forward, and none is above `num_rounds`: what leaves is
      `merchant.mu_squared` in Gaussian DP, over the life of the answer log.
    - The order is reserve, compute, seal, send. A request asked again gets the very same bytes: a second draw
      of noise around the same sum would halve the noise. Another request for a round already answered is refused.
    - No text, type or count that depends on data leaves with an error.

    Whether a plan's days hold a training example at all is looked at before the first round, with a DataError; that
    depends on the plan alone.

    A log in memory ends with this object: another one would answer again. `LedgerAnswerLog` outlives restarts,
    kills and coordinators.

    Attributes
    ----------
    size
        Parameters of the plan's model.
    """

    def __init__(self, merchant: Merchant) -> None:
        self._merchant = merchant
        for series in filter(None, (merchant.series, merchant.rehearsal)):
            count_trainable(series)  # else a round would fail where there is an entity, charged, and not where is none
        private = merchant.mechanism.noise_multiplier > 0
        self._model = start_training(merchant.plan, merchant.series, seed=0, private=private)
        self.size = len(get_vector(self._model))
        self._answer_log = merchant.answer_log or MemoryAnswerLog()
        self._lock = Lock()  # two handlers at once must not draw noise for the same round

    def answer(self, content: RecordDict) -> RecordDict:
        """Answer one request, or refuse it with a HansaError."""
        request = decode_request(content, size=self.size)
        return self.answer_in(
            request, lambda total: encode_reply(RoundReply(request.plan_hash, request.round_number, total))
        )

    def answer_in(self, request: RoundRequest, write: Write) -> RecordDict:
        """Answer one request in the form that `write` gives to the noised sum: in a secure sum a masked one.

        The noised sum itself goes nowhere else, and what `write` makes of it is what is sealed.
        """
        _check_terms(request, self._merchant)
        with self._lock:
            sealed = self._answer_log.reserve(request, self._merchant.mechanism)
            if sealed is None:
                sealed = self._answer_log.seal(request, write(self._train(request)))
        return sealed

    def model_of(self, round_number: int) -> str | None:
        """Name the model at which a round's sum was computed; None where none was."""
        return self._answer_log.model_of(round_number)

    def _train(self, request: RoundRequest) -> Int64[Tensor, " parameter"]:
        merchant = self._merchant
        series, place = merchant.find_series(request.round_number)
        return train_round(
            self._model,
            series,
            request.parameters,
            round_number=place,
            mechanism=merchant.mechanism,
            noise=merchant.noise,
            device=merchant.device,
        )


def _check_terms(request: RoundRequest, merchant: Merchant) -> None:
    if request.plan_hash != merchant.run_hash:
        raise MessageError("A request names another plan than the one approved here; approve that one first.")
    if request.round_number > merchant.num_rounds:
        raise MessageError(
            f"Round {request.round_number} was asked for, this merchant agreed to {merchant.num_rounds}; end the run."
        )


def _log(error: Exception) -> None:
    """Write down why nothing was sent: a refusal's own sentence quotes no data, any other error's might."""
    if isinstance(error, MessageError | PrivacyError | ConfigError):
        LOGGER.warning("Refused: %s", error)
    elif isinstance(error, DataError):
        LOGGER.error("Failed: the data cannot be read as the plan says; see: hansa-client doctor PLAN")
    else:
        LOGGER.error("Failed: %s", type(error).__name__)
