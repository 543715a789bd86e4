"""What may be asked of a merchant over the network, and what it answers: three kinds of message, and no other.

    train            a round of an accepted plan     → its noised sum       `client.round.answers.Answers`
    query.proposal   a signed plan                   → public terms
    query.release    a signed model                  → receipt

Everything else, and everything that the policy does not allow, is answered with the one word "declined". Terms,
receipts and refusals depend on message, policy and ledger, never on what the data says of any entity.
"""

from __future__ import annotations

import logging
import math
import time
from pathlib import Path

import torch
from flwr.app import RecordDict
from flwr.clientapp import ClientApp

from client.account.agreement import Agreement, LedgerAnswerLog, Offer, agree, require_approved
from client.account.ledger.ledger import Ledger
from client.account.policy import read_policy
from client.account.standing import Standing, require_same_noise
from client.daemon.health import LatestRound
from client.daemon.membership import JoinedFederation, require_size_class
from client.daemon.reading import BackgroundReading
from client.daemon.store import Accepted, Store
from client.data.root import DataRoot
from client.folder import MerchantFolder
from client.round.answers import Answer, Answers, Merchant, make_client_app
from client.round.leg import read_legs
from common.errors import ConfigError, HansaError, MessageError, PrivacyError
from common.message import proposal, release
from common.message.proposal import ClientTerms, Proposal, decode_signed, encode_terms, parse_proposal
from common.message.record import read_text, unpack
from common.message.release import (
    Release,
    ReleaseNote,
    decode_parameters,
    decode_signature,
    encode_receipt,
    parse_note,
)
from common.message.round import REQUEST_FIELDS
from common.message.signature import verify
from common.model.demand_gru import get_vector
from common.model.warm.start import require_same_warm, start_without_data
from common.plan.schema import Plan
from common.privacy.noise import SecureNoise

LOGGER = logging.getLogger(__name__)
PATIENCE_SECONDS = 10.0  # for which terms wait for the data, so that a plan that does not fit it is refused at once


class Handlers:
    """Decide about every message to one merchant.

    Parameters
    ----------
    home
        The merchant's folder; its policy is read anew for every proposal and every round.
    data_root
        Folder that a plan's paths start from and stay below; of its files only those of the policy's `[data]` are read.
    device
        Where gradients are computed.

    Attributes
    ----------
    latest_round
        For whoever watches.
    refusal
        The sentence with which the latest message was refused, which quotes no data; None where it was answered, or
        failed.
    deadline
        Until when, by the wall clock, somebody waits for the answer in hand.

    Notes
    -----
    One plan's data is in memory at a time: that of the latest round or proposal.
    """

    def __init__(
        self,
        home: MerchantFolder,
        federation: JoinedFederation,
        ledger: Ledger,
        *,
        data_root: Path,
        device: torch.device,
    ) -> None:
        self._home, self._federation, self._ledger = home, federation, ledger
        self._data_root, self._device = data_root, device
        self._archive = Store(home.plans, home.models, federation.coordinator)
        self._standing = Standing(home.policy, ledger)
        self._agreements: dict[str, Agreement] = {}
        self._open: tuple[str, BackgroundReading[Answers]] | None = None
        self.deadline = math.inf
        self.latest_round: LatestRound | None = None
        self.refusal: str | None = None

    def resume(self) -> None:
        """Take up the plans that were accepted before a restart, as far as the policy still allows them.

        One that it does not allow now is looked at again when a round of it is asked for.
        """
        for path in self._archive.proposals:
            try:
                self._take_up(path)
            except HansaError as error:
                LOGGER.warning("Not taken up again: %s file=%s", error, path.name)

    def _take_up(self, path: Path) -> None:
        accepted = self._archive.read_proposal(path)
        self._agreements[accepted.proposal.run_hash] = self._agree_again(accepted)

    def answer(self, content: RecordDict) -> RecordDict:
        """Answer a round of an accepted plan, or refuse it with a HansaError."""
        about, _ = unpack(content, fields=REQUEST_FIELDS)
        run_hash = read_text(about, "plan_hash")
        agreement = self._standing.renew(self._find_agreement(run_hash))  # and again once the data is there
        sealed = self._answers(run_hash, agreement).answer(content)
        self._note_round(agreement, int(str(about["round_number"])))
        return sealed

    def consider(self, content: RecordDict) -> RecordDict:
        """Accept a signed proposal with this merchant's terms, or refuse it with a HansaError."""
        signed = decode_signed(content)
        proposed = parse_proposal(verify(signed, self._federation.coordinator, purpose=proposal.PURPOSE))
        agreement = self._agree(proposed)
        terms = ClientTerms(proposed.run_hash, agreement.policy.size_class, float(agreement.mechanism.noise_multiplier))
        self._look_at_data(proposed, agreement)
        self._archive.keep_proposal(signed, proposed.run_hash, terms.noise_multiplier)
        self._agreements[proposed.run_hash] = agreement
        LOGGER.info(
            "Accepted plan=%s run=%s noise=%.4g", _word(proposed.plan), proposed.run_hash[:12], terms.noise_multiplier
        )
        return encode_terms(terms)

    def keep(self, content: RecordDict) -> RecordDict:
        """Keep a signed model and give its receipt, or refuse it with a HansaError."""
        signed = decode_signature(content)
        note = parse_note(verify(signed, self._federation.coordinator, purpose=release.PURPOSE))
        self._require_wanted(note)
        require_same_warm(note.plan, private=note.private, warm_hash=note.warm_hash)
        if note.num_parameters != count_parameters(note.plan, private=note.private):
            raise MessageError("A model has another number of parameters than its plan's; it is not kept.")
        self._archive.keep_model(Release(signed, decode_parameters(content, note)), note)
        LOGGER.info("Kept model=%s run=%s round=%d", note.model_hash[:12], note.run_hash[:12], note.round_number)
        return encode_receipt(note.model_hash)

    def remembering(self, answer: Answer) -> Answer:
        """Keep the sentence of a refusal, of the kinds that quote no data, for the health file."""

        def handle(content: RecordDict) -> RecordDict:
            self.refusal = None
            try:
                return answer(content)
            except (MessageError, PrivacyError, ConfigError) as refusal:
                self.refusal = str(refusal)
                raise

        return handle

    def _find_agreement(self, run_hash: str) -> Agreement:
        """Find a plan that was accepted, also one that the policy did not allow when the daemon started."""
        if run_hash not in self._agreements:
            for path in self._archive.proposals:  # a stranger's word never becomes a path
                if path.stem == run_hash:
                    self._take_up(path)
        if run_hash not in self._agreements:
            raise MessageError("A round is of a plan that was not accepted here; propose it first.")
        return self._agreements[run_hash]

    def _look_at_data(self, proposed: Proposal, agreement: Agreement) -> None:
        """Begin to read the data, and refuse the plan where that fails at once; terms do not wait for the rest."""
        reading = self._start_reading(proposed.run_hash, agreement)
        if reading.is_done(within_seconds=PATIENCE_SECONDS):
            reading.result(is_over=lambda: True)
        else:
            LOGGER.info("Reading the data of plan=%s takes long; its first round waits for it", _word(proposed.plan))

    def _agree(self, proposed: Proposal) -> Agreement:
        policy = read_policy(self._home.policy)
        require_size_class(policy, self._federation)
        require_same_warm(proposed.plan, private=proposed.private, warm_hash=proposed.warm_hash)
        offer = Offer(proposed.plan, proposed.private, self._federation.coordinator_name, proposed.cohort_size)
        return agree(
            policy, offer, self._ledger, num_coordinates=count_parameters(proposed.plan, private=offer.private)
        )

    def _agree_again(self, accepted: Accepted) -> Agreement:
        agreement = self._agree(accepted.proposal)
        require_same_noise(agreement, accepted.noise_multiplier)
        return agreement

    def _require_wanted(self, note: ReleaseNote) -> None:
        """Refuse a model of a plan that was neither accepted earlier nor is approved."""
        if self._archive.has_proposal(note.run_hash):
            return
        name, policy = self._federation.coordinator_name, read_policy(self._home.policy)
        require_approved(policy, Offer(note.plan, note.private, name, max(len(note.members), 1)))

    def _answers(self, run_hash: str, agreement: Agreement) -> Answers:
        """Wait for the data of a plan, for as long as somebody waits for the answer."""
        if self._open is None or self._open[0] != run_hash or self._open[1].has_failed:
            self._start_reading(run_hash, agreement)
        assert self._open is not None  # noqa: S101  for mypy: just begun
        return self._open[1].result(is_over=lambda: time.time() > self.deadline)

    def _start_reading(self, run_hash: str, agreement: Agreement) -> BackgroundReading[Answers]:
        """Begin to read the data of a plan, in place of another plan's; one file is read at a time."""
        before = None if self._open is None else self._open[1]
        if before is not None:
            before.cancel()
        reading = BackgroundReading(lambda: self._read(agreement), after=before)
        self._open = run_hash, reading
        return reading

    def _read(self, agreement: Agreement) -> Answers:
        offer, began = agreement.offer, time.monotonic()
        series, rehearsal = read_legs(offer.plan, DataRoot(self._data_root, agreement.policy.readable))
        merchant = Merchant(
            plan=offer.plan,
            num_rounds=offer.training.num_rounds,
            series=series,
            mechanism=agreement.mechanism,
            noise=SecureNoise(),
            device=self._device,
            answer_log=LedgerAnswerLog(self._ledger, agreement, renew=self._standing.renew),
            rehearsal=rehearsal,
        )
        answers = Answers(merchant)
        LOGGER.info("Read the data of plan=%s seconds=%.1f", _word(offer.plan), time.monotonic() - began)
        return answers

    def _note_round(self, agreement: Agreement, round_number: int) -> None:
        offer = agreement.offer
        self.latest_round = LatestRound(offer.plan.name, offer.run_hash, round_number, offer.training.num_rounds)
        LOGGER.info("Answered plan=%s run=%s round=%d", _word(offer.plan), offer.run_hash[:12], round_number)


def make_handler_app(handlers: Handlers) -> ClientApp:
    """Make the app that answers every kind of message."""
    remembering = handlers.remembering
    queries = {"proposal": remembering(handlers.consider), "release": remembering(handlers.keep)}
    return make_client_app(remembering(handlers.answer), queries=queries)


def count_parameters(plan: Plan, *, private: bool) -> int:
    """Count the parameters that a plan's training moves, from the plan alone.

    Raises
    ------
    MessageError
        No model can be made of it.
    PrivacyError
        It has more parameters than clipping is proven for.
    """
    try:
        model = start_without_data(plan, private=private)
    except PrivacyError:
        raise
    except (HansaError, ValueError, RuntimeError, MemoryError) as error:
        raise MessageError("No model can be made of a plan; see: hansa-sim check") from error
    return len(get_vector(model))


def _word(plan: Plan) -> str:
    """Quote a plan's name, which a stranger chose, so that it stays one word of a log line."""
    return repr(plan.name[:60])
