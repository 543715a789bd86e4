"""What may be asked of a merchant over the network, and what it answers: these kinds of message, and no other.

    train            a round of an accepted plan     → its noised sum       `client.round.answers.Answers`
    query.proposal   a signed plan                   → public terms
    query.release    a signed model                  → receipt
    query.welcome    a signed new welcome            → receipt               `client.daemon.renewal`
    query.peer, query.keys, query.shares, query.agree, query.reveal          `client.daemon.sums`

Everything else, and everything that the policy does not allow, is answered with the one word "declined". Terms,
receipts and refusals depend on message, policy and ledger, never on what the data says of any entity.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import torch
from flwr.app import RecordDict
from flwr.clientapp import ClientApp

from client.account.agreement import Agreement, Offer, agree, require_approved
from client.account.company import CallReader, Company, require_company, require_quorum
from client.account.ledger.ledger import Ledger
from client.account.peer_book import note_roster
from client.account.policy import read_policy
from client.account.standing import Standing, require_same_noise
from client.daemon.health import LatestRound
from client.daemon.membership import (
    JoinedFederation,
    keep_federation,
    read_node_key,
    read_tls_key,
    require_size_class,
)
from client.daemon.plan_data import PlanData, word_of
from client.daemon.proposal_store import Accepted, ProposalStore
from client.daemon.renewal import take_welcome
from client.daemon.store import Store
from client.daemon.sums import SUM_MESSAGES, Sums
from client.folder import MerchantFolder
from client.round.answers import Answer, make_client_app
from common.errors import ConfigError, HansaError, MessageError, PrivacyError
from common.message import proposal, release
from common.message.proposal import ClientTerms, Proposal, decode_signed, encode_terms, parse_proposal
from common.message.receipt import encode_receipt
from common.message.record import read_text, read_whole
from common.message.release import Release, ReleaseNote, decode_parameters, decode_signature, parse_note
from common.message.round import read_signed_call, unpack_request
from common.message.signature import verify_any
from common.message.sum_place import read_run
from common.message.sum_round import is_sum, unpack_sum_request
from common.message.welcome import decode_welcome, encode_welcome_receipt, hash_welcome
from common.model.demand_gru import get_vector
from common.model.warm.start import require_same_warm, start_without_data
from common.plan.schema import Plan

LOGGER = logging.getLogger(__name__)


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
    federation
        As it is known now; a new welcome changes it.
    try_line
        Called with the federation as a new welcome has it, before that is kept; what it raises refuses the welcome.
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
        self._home, self._ledger = home, ledger
        self._follow(federation)
        self._standing = Standing(home.policy, ledger)
        self._sums = Sums(home, ledger)
        self._agreements: dict[str, Agreement] = {}
        self._calls = CallReader(coordinators=lambda: self.federation.signers, node_key=lambda: read_node_key(home))
        self._data = PlanData(ledger, self._standing, self._calls, data_root=data_root, device=device)
        self.try_line: Callable[[JoinedFederation], None] = lambda federation: None
        self.deadline = math.inf
        self.latest_round: LatestRound | None = None
        self.refusal: str | None = None

    def resume(self) -> None:
        """Take up the plans that were accepted before a restart, as far as the policy still allows them.

        One that it does not allow now is looked at again when a round of it is asked for.
        """
        for path in self._proposals.proposals:
            try:
                self._take_up(path)
            except HansaError as error:
                LOGGER.warning("Not taken up again: %s file=%s", error, path.name)

    def _take_up(self, path: Path) -> None:
        accepted = self._proposals.read_proposal(path)
        self._agreements[accepted.proposal.run_hash] = self._agree_again(accepted)

    def answer(self, content: RecordDict) -> RecordDict:
        """Answer a round of an accepted plan, or refuse it with a HansaError."""
        is_summed = is_sum(content)
        about, _ = unpack_sum_request(content) if is_summed else unpack_request(content)
        run_hash, round_number = read_text(about, "plan_hash"), read_whole(about, "round_number")
        agreement = self._standing.renew(self._find_agreement(run_hash))  # and again once the data is there
        require_trust(agreement.offer.plan, is_summed=is_summed)
        company = self._calls.read(
            read_signed_call(about),
            run_hash=run_hash,
            round_number=round_number,
            model_hash=read_text(about, "model_hash"),
        )
        require_company(agreement.policy, agreement.offer.plan, company)  # before data is waited for
        answers = self._data.answers(run_hash, agreement, is_over=lambda: time.time() > self.deadline)
        sealed = self._sums.open(agreement).answer(content, answers) if is_summed else answers.answer(content)
        self._note_round(agreement, round_number, company)
        return sealed

    def show_peer(self, content: RecordDict) -> RecordDict:
        """Show the key that the other merchants of a secure sum know this one by."""
        return self._sums.show_peer(content, name=self.federation.welcome.name)

    def answer_sum(self, kind: str) -> Answer:
        """Answer one kind of a secure sum's other messages, or refuse it with a HansaError."""

        def answer(content: RecordDict) -> RecordDict:
            return self._sums.answer(kind, content, self._standing.renew(self._find_agreement(read_run(content))))

        return answer

    def consider(self, content: RecordDict) -> RecordDict:
        """Accept a signed proposal with this merchant's terms, or refuse it with a HansaError."""
        signed = decode_signed(content)
        proposed = parse_proposal(verify_any(signed, self.federation.signers, purpose=proposal.PURPOSE))
        note_roster(self._home.peers, proposed, at=datetime.now(UTC))
        agreement = self._agree(proposed)
        require_quorum(agreement.policy, proposed.plan, proposed.quorum)
        terms = ClientTerms(proposed.run_hash, agreement.policy.size_class, float(agreement.mechanism.noise_multiplier))
        self._data.look(proposed.run_hash, agreement)
        self._proposals.keep_proposal(signed, proposed.run_hash, terms.noise_multiplier)
        self._agreements[proposed.run_hash] = agreement
        LOGGER.info(
            "Accepted plan=%s run=%s noise=%.4g", word_of(proposed.plan), proposed.run_hash[:12], terms.noise_multiplier
        )
        return encode_terms(terms)

    def keep(self, content: RecordDict) -> RecordDict:
        """Keep a signed model and give its receipt, or refuse it with a HansaError."""
        signed = decode_signature(content)
        note = parse_note(verify_any(signed, self.federation.signers, purpose=release.PURPOSE))
        self._require_wanted(note)
        require_same_warm(note.plan, private=note.private, warm_hash=note.warm_hash)
        if note.num_parameters != count_parameters(note.plan, private=note.private):
            raise MessageError("A model has another number of parameters than its plan's; it is not kept.")
        self._models.keep_model(Release(signed, decode_parameters(content, note)), note)
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
            for path in self._proposals.proposals:  # a stranger's word never becomes a path
                if path.stem == run_hash:
                    self._take_up(path)
        if run_hash not in self._agreements:
            raise MessageError("A round is of a plan that was not accepted here; propose it first.")
        return self._agreements[run_hash]

    def renew(self, content: RecordDict) -> RecordDict:
        """Keep a new welcome, use it from now on, and give its receipt, or refuse it with a HansaError."""
        signed, successions = decode_welcome(content)
        key, now = read_tls_key(self._home), datetime.now(UTC)
        renewed = take_welcome(self.federation, signed, successions, tls_key=key, now=now)
        if renewed != self.federation:
            self.try_line(renewed)
            keep_federation(self._home, renewed)
            self.adopt(renewed)
            LOGGER.info(
                "Took a new welcome of %s coordinator=%s", renewed.welcome.federation, renewed.coordinator_name[:12]
            )
        return encode_welcome_receipt(hash_welcome(signed.content))

    def adopt(self, federation: JoinedFederation) -> None:
        """Go on with a federation whose keys, address or certificate are others; plans and data stay as they are."""
        self._follow(federation)
        for run_hash, agreement in self._agreements.items():
            self._agreements[run_hash] = agreement.said_by(federation.coordinator_name, federation.vouched_by)
            self._data.follow(run_hash, self._agreements[run_hash])

    def _follow(self, federation: JoinedFederation) -> None:
        self.federation, keys = federation, federation.lineage.keys
        self._proposals = ProposalStore(self._home.plans, *keys)
        self._models = Store(self._home.models, *keys)

    def _agree(self, proposed: Proposal) -> Agreement:
        policy = read_policy(self._home.policy)
        require_size_class(policy, self.federation)
        require_same_warm(proposed.plan, private=proposed.private, warm_hash=proposed.warm_hash)
        name, vouched_by = self.federation.coordinator_name, self.federation.vouched_by
        offer = Offer(proposed.plan, proposed.private, name, proposed.cohort_size, vouched_by, proposed.roster)
        own = None
        if proposed.roster is not None:
            own = self._sums.own_peer(name=self.federation.welcome.name, size_class=policy.size_class)
        num_coordinates = count_parameters(proposed.plan, private=offer.private)
        return agree(policy, offer, self._ledger, num_coordinates=num_coordinates, own=own)

    def _agree_again(self, accepted: Accepted) -> Agreement:
        agreement = self._agree(accepted.proposal)
        require_same_noise(agreement, accepted.noise_multiplier)
        return agreement

    def _require_wanted(self, note: ReleaseNote) -> None:
        """Refuse a model of a plan that was neither accepted earlier nor is approved."""
        if self._proposals.has_proposal(note.run_hash):
            return
        name, policy = self.federation.coordinator_name, read_policy(self._home.policy)
        cohort_size, vouched_by = max(len(note.members), 1), self.federation.vouched_by
        require_approved(policy, Offer(note.plan, note.private, name, cohort_size, vouched_by))

    def _note_round(self, agreement: Agreement, round_number: int, company: Company | None) -> None:
        offer, asked = agreement.offer, None if company is None else company.asked
        quorum, call = (None, "-") if company is None else (company.quorum, company.digest[:12])
        self.latest_round = LatestRound(
            offer.plan.name, offer.run_hash, round_number, offer.training.num_rounds, asked, quorum
        )
        LOGGER.info(
            "Answered plan=%s run=%s round=%d asked=%s quorum=%s call=%s",
            *(word_of(offer.plan), offer.run_hash[:12], round_number, asked or "unsigned", quorum or "unsigned", call),
        )


def make_handler_app(handlers: Handlers) -> ClientApp:
    """Make the app that answers every kind of message."""
    remembering = handlers.remembering
    queries = {"proposal": handlers.consider, "release": handlers.keep, "welcome": handlers.renew}
    queries |= {"peer": handlers.show_peer} | {kind: handlers.answer_sum(kind) for kind in SUM_MESSAGES}
    return make_client_app(
        remembering(handlers.answer), queries={name: remembering(answer) for name, answer in queries.items()}
    )


def require_trust(plan: Plan, *, is_summed: bool) -> None:
    """Refuse a round in which more, or less, would be seen than the plan says.

    Raises
    ------
    PrivacyError
        A sum under a share of the noise is asked for without masks, or a plan that adds all of it is to be masked.
    """
    if is_summed != (plan.privacy.trust == "sum"):
        raise PrivacyError(
            f"A round of plan {plan.name!r} is asked for in a way that its privacy.trust does not allow."
        )


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
