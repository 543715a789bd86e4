"""A coordinator's signed proposal, and the public terms on which a merchant takes part.

| field              | proposal     | terms         | what it is                                              |
|--------------------|--------------|---------------|---------------------------------------------------------|
| `content`          | about, bytes | absent        | a `Proposal` as JSON: what the signature covers         |
| `signature`        | about, bytes | absent        | Ed25519, by the coordinator's key                       |
| `plan_hash`        | absent       | about, str    | `Plan.run_hash` of the proposal                         |
| `size_class`       | absent       | about, int    | from the merchant's policy, declared by hand            |
| `noise_multiplier` | absent       | about, float  | chosen by the merchant's policy; 0 without noise        |

Terms depend on proposal, policy and ledger alone, never on data.
"""

import json
from dataclasses import dataclass

from flwr.app import ConfigRecord, RecordDict
from pydantic import ValidationError

from common.errors import MessageError
from common.message.record import check_hash, pack, read_bytes, read_number, read_text, read_whole, unpack_about
from common.message.signature import SIGNATURE_BYTES, Signed
from common.plan.schema import Count, Plan, Section
from common.privacy.mechanism import LARGEST_NOISE_MULTIPLIER

PROPOSAL = "query.proposal"  # Flower's message type
PURPOSE = "proposal"
SIGNED_FIELDS = frozenset({"content", "signature"})
TERMS_FIELDS = frozenset({"plan_hash", "size_class", "noise_multiplier"})
MOST_BYTES = 1 << 20


class Proposal(Section):
    """What a coordinator would run, and with how many merchants.

    Attributes
    ----------
    private
        Whether the plan's training under noise runs, or the one without.
    """

    plan: Plan
    private: bool
    cohort_size: Count

    @property
    def run_hash(self) -> str:
        """Names the run on every message."""
        return self.plan.run_hash(private=self.private)

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
        raise MessageError("A signed proposal cannot be read; use the same version of hansa at both ends.") from error


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
