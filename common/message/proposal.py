"""A coordinator's signed proposal, and the public terms on which a merchant takes part.

| field              | proposal     | terms         | what it is                                              |
|--------------------|--------------|---------------|---------------------------------------------------------|
| `content`          | about, bytes | absent        | a `Proposal` as JSON: what the signature covers         |
| `signature`        | about, bytes | absent        | Ed25519, by the coordinator's key                       |
| `plan_hash`        | absent       | about, str    | `Plan.run_hash` of the proposal                         |
| `size_class`       | absent       | about, int    | from the merchant's policy, declared by hand            |
| `noise_multiplier` | absent       | about, float  | chosen by the merchant's policy; 0 without noise        |

Terms depend on proposal, policy and ledger alone, never on data. See docs/protocol.md §5.3.
"""

import json
from dataclasses import dataclass
from typing import Annotated

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from flwr.app import ConfigRecord, RecordDict
from pydantic import Field, ValidationError, model_validator

from common.errors import MessageError
from common.message.reading import unreadable
from common.message.record import check_hash, pack, read_bytes, read_number, read_text, read_whole, unpack_about
from common.message.signature import SIGNATURE_BYTES, Signed, sign
from common.plan.schema import Count, Document, Plan
from common.privacy.bound import LARGEST_NOISE_MULTIPLIER
from common.secure_sum.cohort import form_sessions
from common.secure_sum.roster import Peer, Session

PROPOSAL = "query.proposal"  # Flower's message type
PURPOSE = "proposal"
SIGNED_FIELDS = frozenset({"content", "signature"})
TERMS_FIELDS = frozenset({"plan_hash", "size_class", "noise_multiplier"})
MOST_BYTES = 1 << 20
NAMES_WARM = 2  # the first protocol whose proposals and releases name the warm model, and proposals the quorum
NAMES_ROSTER = 3  # the first protocol that knows the secure sum, and proposals with a roster
FileHash = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Proposal(Document):
    """What a coordinator would run, and with how many merchants.

    Attributes
    ----------
    private
        Whether the plan's training under noise runs, or the one without.
    warm_hash
        SHA-256 of the file of the public model that this training starts from; None where it starts cold, and in
        protocol 1.
    quorum
        The fewest answers that make a round, in a secure sum its threshold; None in protocol 1. How many are really
        asked is signed anew for every round (`common.message.call`).
    roster
        Everyone in the secure sum, by name, where the plan trusts in the sum; None where it does not.
    """

    plan: Plan
    private: bool
    cohort_size: Count
    quorum: Count | None = None
    warm_hash: FileHash | None = None
    roster: tuple[Peer, ...] | None = None

    @model_validator(mode="after")
    def _roster_where_trusted(self) -> "Proposal":
        if (self.plan.privacy.trust == "sum") != (self.roster is not None):
            raise ValueError('a plan with privacy.trust = "sum" needs a roster, another takes none')
        if self.quorum is not None and self.quorum > self.cohort_size:
            raise ValueError("the quorum is more than take part")
        if self.roster is None:
            return self
        if self.plan.privacy.sum is not None and self.quorum != self.plan.privacy.sum.threshold:
            raise ValueError("the quorum of a secure sum is privacy.sum.threshold, with fewer it gives nothing")
        if self.private and self.plan.privacy.sum is not None and self.plan.privacy.sum.noise_multiplier is None:
            raise ValueError("the plan needs privacy.sum.noise_multiplier: merchants share one noise")
        names = [peer.name for peer in self.roster]
        if names != sorted(set(names)) or len({peer.key for peer in self.roster}) < len(names):
            raise ValueError("names of a roster are in order, and no name or key is in it twice")
        if len(names) != self.cohort_size:
            raise ValueError("cohort_size is the number of merchants in the roster")
        return self

    @property
    def least_protocol(self) -> int:
        """The lowest protocol in which this may be proposed to a member (docs/protocol.md §5.3)."""
        return 1 if self.roster is None else NAMES_ROSTER

    @property
    def run_hash(self) -> str:
        """Names the run on every message."""
        return self.plan.run_hash(private=self.private)

    @property
    def sessions(self) -> tuple[Session, ...]:
        """The sessions of secure sums that this proposes: one, or one for each cohort of a long roster.

        Raises
        ------
        ConfigError, MessageError
            It proposes none, or the roster and the plan's terms do not fit together.
        """
        terms = self.plan.privacy.sum
        if self.roster is None or terms is None:
            raise MessageError(f"The plan {self.plan.name!r} is no secure sum.")
        return form_sessions(self.roster, self.run_hash, terms)

    def to_bytes(self) -> bytes:
        """Write the document that is signed."""
        return json.dumps(self.model_dump(mode="json"), separators=(",", ":")).encode()


@dataclass(frozen=True)
class ClientTerms:
    """What is public about a merchant in one run.

    Raises
    ------
    MessageError
        If the hash is none, the size class is below 1, or the noise multiplier cannot be one.
    """

    plan_hash: str
    size_class: int
    noise_multiplier: float

    def __post_init__(self) -> None:
        check_hash(self.plan_hash, "plan_hash")
        if self.size_class < 1:
            raise MessageError("The size_class of a message is below 1; send the one that was enrolled.")
        if not 0 <= self.noise_multiplier <= LARGEST_NOISE_MULTIPLIER:
            raise MessageError(f"The noise_multiplier of a message is not within 0 to {LARGEST_NOISE_MULTIPLIER:.0f}.")


def parse_proposal(content: bytes) -> Proposal:
    """Read a proposal whose signature was checked.

    Raises
    ------
    MessageError
        If it is no proposal of this version.
    """
    try:
        return Proposal.model_validate_json(content)
    except ValidationError as error:
        raise unreadable("A signed proposal", error) from error


def proposal_in(protocol: int, signed: Signed, key: Ed25519PrivateKey) -> Signed:
    """Say a signed proposal in the words of a protocol, signed by the key that signs now.

    Raises
    ------
    MessageError
        It cannot be said: a secure sum without its roster would be another thing under the same name.
    """
    proposed = parse_proposal(signed.content)
    if protocol < proposed.least_protocol:
        raise MessageError(
            f"The plan {proposed.plan.name!r} trusts in the secure sum, which needs protocol {NAMES_ROSTER}; "
            f"a member of protocol {protocol} is not asked until it installs a newer version."
        )
    first = proposed.model_copy(update={"warm_hash": None, "quorum": None})
    said = signed.content if protocol >= NAMES_WARM or first == proposed else first.to_bytes()
    return sign(said, key, purpose=PURPOSE)  # the same key gives the same signature


def encode_signed(signed: Signed) -> RecordDict:
    """Write signed bytes as one Flower record."""
    return pack(ConfigRecord({"content": signed.content, "signature": signed.signature}))


def decode_signed(record: RecordDict) -> Signed:
    """Read signed bytes; the signature is for the caller to check."""
    about = unpack_about(record, fields=SIGNED_FIELDS)
    return read_signed(about)


def read_signed(about: ConfigRecord) -> Signed:
    """Read the two fields of signed bytes."""
    return Signed(read_bytes(about, "content", most=MOST_BYTES), read_bytes(about, "signature", most=SIGNATURE_BYTES))


def encode_terms(terms: ClientTerms) -> RecordDict:
    """Write a merchant's terms as one Flower record."""
    return pack(
        ConfigRecord(
            {
                "plan_hash": terms.plan_hash,
                "size_class": terms.size_class,
                "noise_multiplier": float(terms.noise_multiplier),
            }
        )
    )


def decode_terms(record: RecordDict) -> ClientTerms:
    """Read a merchant's terms, trusting nothing in them.

    Raises
    ------
    MessageError
        If anything is missing, additional, of another type, or no legal value.
    """
    about = unpack_about(record, fields=TERMS_FIELDS)
    return ClientTerms(
        read_text(about, "plan_hash"), read_whole(about, "size_class"), read_number(about, "noise_multiplier")
    )
