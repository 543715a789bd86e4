"""One set of survivors per round: what each of them signs before anybody reveals anything.

The signature covers session, round, model and set. The model's hash is in it so that a coordinator that shows merchants
different models, to read one of them out of the sum, is told early. It need not ask the one that it reads, since t of
the others are enough; what stops it is that pair masks are of one model each (`common.secure_sum.mask`). See
docs/protocol.md §10.6.

References
----------
Bonawitz et al. (2017), "Practical secure aggregation", figure 4, round 3.
Pasquini, Francati & Ateniese (2022), arXiv 2111.07380: why the model's hash is signed, and in the masks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from common.errors import MessageError
from common.message.signature import Signed, is_signed, sign
from common.secure_sum.label import write_model, write_name, write_round
from common.secure_sum.roster import Session

PURPOSE = "sum agreement"


def write_agreement(session: Session, survivors: Sequence[str], *, round_number: int, model_hash: str) -> bytes:
    """Write what is signed: session, round, model, how many survivors, and each one's name, sorted.

    Raises
    ------
    MessageError
        The set is none that may be summed.
    """
    require_survivors(session, survivors, among=session.names)
    return (
        bytes.fromhex(session.hash)
        + write_round(round_number)
        + write_model(model_hash)
        + len(survivors).to_bytes(2)
        + b"".join(write_name(name) for name in sorted(survivors))
    )


def sign_agreement(content: bytes, identity: Ed25519PrivateKey) -> bytes:
    """Sign what `write_agreement` wrote, 64 bytes; who calls it has noted the set for ever."""
    return sign(content, identity, purpose=PURPOSE).signature


def check_signature(
    session: Session, survivors: Sequence[str], *, round_number: int, model_hash: str, name: str, signature: bytes
) -> None:
    """Require that a survivor signed this set, under this model (check 4).

    Raises
    ------
    MessageError
        It did not.
    """
    if name not in survivors:
        raise MessageError(f"{name!r} signs a set of survivors that it is not in.")
    content = write_agreement(session, survivors, round_number=round_number, model_hash=model_hash)
    if not is_signed(Signed(content, signature), bytes.fromhex(session.peer(name).key), purpose=PURPOSE):
        raise MessageError(f"{name!r} has not signed this set of survivors under this model.")


def check_agreement(
    session: Session,
    survivors: Sequence[str],
    *,
    round_number: int,
    model_hash: str,
    signatures: Mapping[str, bytes],
) -> None:
    """Require at least t valid signatures, of distinct survivors, over the same bytes.

    Raises
    ------
    MessageError
        There are fewer, or one of them is not valid.
    """
    require_enough(session, signatures)
    for name, signature in signatures.items():
        check_signature(
            session, survivors, round_number=round_number, model_hash=model_hash, name=name, signature=signature
        )


def require_survivors(session: Session, survivors: Sequence[str], *, among: Sequence[str]) -> None:
    """Require distinct names of those who sent shares, at least t of them (check 3).

    Raises
    ------
    MessageError
        They are not.
    """
    if len(set(survivors)) != len(survivors) or not set(survivors) <= set(among):
        raise MessageError("A set of survivors names somebody twice, or somebody who sent no shares.")
    require_enough(session, survivors)


def require_enough(session: Session, members: Sequence[str] | Mapping[str, object]) -> None:
    """Refuse to go on with fewer than t members (check 11).

    Raises
    ------
    MessageError
        They are fewer.
    """
    if len(members) < session.threshold:
        raise MessageError(
            f"Only {len(members)} members are left in this sum, and {session.threshold} are needed: it gives nothing."
        )


def require_open(session: Session, members: Sequence[str]) -> None:
    """Refuse to mask with fewer than t members whose shares are here and open, this one included (check 3).

    So a merchant that lost a round's secrets masks nothing in it: what was sealed for it does not open any more.

    Raises
    ------
    MessageError
        They are fewer.
    """
    require_enough(session, members)
