"""What a merchant's daemon does for plans whose sums are secure: its peer key, and one member for each session.

    query.peer      its peer key, which others of a sum know it by
    query.keys, query.shares, query.agree, query.reveal     see `client.round.sum_answers`

Every message is held against the policy of now before it is answered, as a round is. The set of survivors that this
merchant signs is a line of its ledger before the signature leaves.
"""

from __future__ import annotations

from flwr.app import RecordDict

from certs.key import read_or_make_signing_key
from client.account.agreement import Agreement
from client.account.ledger.agreements import LedgerAgreements
from client.account.ledger.answer_log import charged_model
from client.account.ledger.ledger import Ledger, now_utc
from client.account.policy import is_within_hours
from client.folder import MerchantFolder
from client.round.sum_answers import SumAnswers
from client.secure_sum.member import SumMember
from client.secure_sum.store import SumStore
from common.errors import MessageError, PrivacyError
from common.message import peer
from common.message.peer import encode_peer
from common.message.signature import public_bytes
from common.secure_sum.roster import Peer

SUM_MESSAGES = ("keys", "shares", "agree", "reveal")


class Sums:
    """Open one merchant's members of sessions, each when it is first asked for.

    Its file is made when the first plan of this kind is accepted.
    """

    def __init__(self, home: MerchantFolder, ledger: Ledger) -> None:
        self._home, self._ledger = home, ledger
        self._store: SumStore | None = None
        self._open: dict[str, SumAnswers] = {}

    def show_peer(self, content: RecordDict, *, name: str) -> RecordDict:
        """Show this merchant's peer key.

        Raises
        ------
        MessageError
            Somebody else is asked for its key.
        """
        if peer.decode_question(content) != name:
            raise MessageError("The peer key of another member is asked for.")
        return encode_peer(name, read_or_make_signing_key(self._home.peer_key))

    def own_peer(self, *, name: str, size_class: int) -> Peer:
        """Give this merchant as a roster has to have it."""
        key = public_bytes(read_or_make_signing_key(self._home.peer_key)).hex()
        return Peer(name=name, key=key, size_class=size_class)

    def open(self, agreement: Agreement) -> SumAnswers:
        """Open this merchant's member of the session that it agreed to.

        Raises
        ------
        HansaError
            It agreed to none, or its file of sums cannot be used.
        """
        session, own = agreement.session, agreement.own
        if session is None or own is None:
            raise MessageError("A message is about a sum, and its plan is none; propose one.")
        if session.hash not in self._open:
            if self._store is None:
                self._store = SumStore(self._home.sums)
            identity = read_or_make_signing_key(self._home.peer_key)
            member = SumMember(session, own.name, identity, self._store, agreements=LedgerAgreements(self._ledger))
            offer = agreement.offer
            self._open[session.hash] = SumAnswers(member, run_hash=offer.run_hash, num_rounds=offer.training.num_rounds)
        return self._open[session.hash]

    def answer(self, kind: str, content: RecordDict, agreement: Agreement) -> RecordDict:
        """Answer a message that is not a round itself, within the policy's hours.

        Raises
        ------
        HansaError
            It may not be answered.
        """
        require_hours(agreement)
        sums = self.open(agreement)
        match kind:
            case "keys":
                return sums.keys(content)
            case "shares":
                return sums.shares(content)
            case "agree":
                return sums.agree(content, charged=lambda number: charged_model(self._ledger, agreement, number))
        return sums.reveal(content)


def require_hours(agreement: Agreement) -> None:
    """Refuse what comes outside the policy's hours.

    Raises
    ------
    PrivacyError
        It does.
    """
    if not is_within_hours(agreement.policy.plan.hours, now_utc().astimezone()):
        raise PrivacyError("A message of a sum came outside the policy's plan.hours.")
