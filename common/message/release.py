"""A signed model on its way to a merchant; the receipt for it is in `common.message.receipt`.

| field        | release         | what it is                                             |
|--------------|-----------------|--------------------------------------------------------|
| `content`    | about, bytes    | a `ReleaseNote` as JSON: what the signature covers     |
| `signature`  | about, bytes    | Ed25519, by the coordinator's key                      |
| `parameters` | vector, float32 | the model, flat; the note names its SHA-256            |

See docs/protocol.md §5.5.
"""

import json
from dataclasses import dataclass
from datetime import datetime

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from flwr.app import ConfigRecord, RecordDict
from jaxtyping import Float32
from pydantic import ValidationError
from torch import Tensor

from common.message.proposal import NAMES_WARM, SIGNED_FIELDS, FileHash, read_signed
from common.message.reading import unreadable
from common.message.record import unpack
from common.message.signature import Signed, sign
from common.message.vector import PARAMETER_DTYPE, check_parameters, pack_vector, read_vector
from common.plan.schema import Count, Document, Plan, Section

PURPOSE = "release"


class ReleaseMember(Section):
    """The public terms of one merchant whose sums are in a model.

    Attributes
    ----------
    noise_multiplier
        What the merchant added itself; in a plan that trusts in the sum that is its share of the whole noise.
    """

    size_class: Count
    noise_multiplier: float
    num_rounds: int


class ReleaseNote(Document):
    """What a model is: which plan made it, in how many rounds, and with whose noise.

    Attributes
    ----------
    num_parameters
        Length of the flat model.
    members
        Everyone who answered a round, without names.
    warm_hash
        As in the proposal: the released parameters are what moved since that file, and fit no other.
    """

    plan: Plan
    private: bool
    round_number: Count
    model_hash: str
    num_parameters: Count
    released_at: datetime
    members: tuple[ReleaseMember, ...]
    software: str
    warm_hash: FileHash | None = None

    @property
    def run_hash(self) -> str:
        """Names the run that made the model."""
        return self.plan.run_hash(private=self.private)

    def to_bytes(self) -> bytes:
        """Write the document that is signed."""
        return json.dumps(self.model_dump(mode="json"), separators=(",", ":")).encode()


@dataclass(frozen=True, eq=False)
class Release:
    """A signed note and the model that it names."""

    signed: Signed
    parameters: Float32[Tensor, " parameter"]


def parse_note(content: bytes) -> ReleaseNote:
    """Read a note whose signature was checked.

    Raises
    ------
    MessageError
        If it is no note of this version.
    """
    try:
        return ReleaseNote.model_validate_json(content)
    except ValidationError as error:
        raise unreadable("A signed release", error) from error


def note_in(protocol: int, signed: Signed, key: Ed25519PrivateKey) -> Signed:
    """Say a signed note in the words of a protocol, signed by the key that signs now."""
    note = parse_note(signed.content)
    first = note.model_copy(update={"warm_hash": None})
    said = signed.content if protocol >= NAMES_WARM or first == note else first.to_bytes()
    return sign(said, key, purpose=PURPOSE)


def encode_release(release: Release) -> RecordDict:
    """Write a release as two Flower records."""
    about = ConfigRecord({"content": release.signed.content, "signature": release.signed.signature})
    return pack_vector(about, release.parameters, dtype=PARAMETER_DTYPE)


def decode_signature(record: RecordDict) -> Signed:
    """Read what a release's signature covers; nothing else of the message was looked at."""
    about, _ = unpack(record, fields=SIGNED_FIELDS)
    return read_signed(about)


def decode_parameters(record: RecordDict, note: ReleaseNote) -> Float32[Tensor, " parameter"]:
    """Read the model of a release whose note was checked.

    Raises
    ------
    MessageError
        If it is not the finite model of `note.num_parameters` numbers that the note names.
    """
    _, array = unpack(record, fields=SIGNED_FIELDS)
    parameters = read_vector(array, dtype=PARAMETER_DTYPE, size=note.num_parameters)
    check_parameters(parameters, note.model_hash)
    return parameters
