"""The proposals that were accepted, on the merchant's disk: whole or not at all.

plans/RUN_HASH.json            a signed proposal, and the noise on which it was accepted

See docs/protocol.md §7.4.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from common.disk.file import write_whole
from common.disk.reading import read_file
from common.errors import DataError
from common.message import proposal
from common.message.proposal import Proposal, parse_proposal
from common.message.signature import Signed, verify_any
from common.plan.reading import refuse_newer
from common.plan.schema import Document


@dataclass(frozen=True)
class Accepted:
    """A proposal that was accepted, and the noise that the coordinator was told."""

    proposal: Proposal
    noise_multiplier: float


class _AcceptedFile(Document):
    content: str
    signature: str
    noise_multiplier: float


class ProposalStore:
    """Keep the accepted proposals of one coordinator.

    Parameters
    ----------
    plans
        A folder, made when something is kept.
    coordinators
        The 32 bytes of every public key that it signs or has signed with; each file is held against them when it is
        read.
    """

    def __init__(self, plans: Path, *coordinators: bytes) -> None:
        self._plans, self._coordinators = plans, coordinators

    def keep_proposal(self, signed: Signed, run_hash: str, noise_multiplier: float) -> None:
        """Keep an accepted proposal."""
        kept = _AcceptedFile(
            content=signed.content.decode(),
            signature=base64.b64encode(signed.signature).decode(),
            noise_multiplier=noise_multiplier,
        )
        write_whole(self._plans / f"{run_hash}.json", kept.model_dump_json(indent=2).encode())

    @property
    def proposals(self) -> list[Path]:
        """The files of all accepted proposals."""
        return sorted(self._plans.glob("*.json"))

    def read_proposal(self, path: Path) -> Accepted:
        """Read an accepted proposal.

        Raises
        ------
        DataError, PrivacyError
            The file was changed, or is of another coordinator.
        """
        try:
            kept = _AcceptedFile.model_validate_json(read_file(path))
            signed = Signed(kept.content.encode(), base64.b64decode(kept.signature, validate=True))
        except ValidationError as error:
            refuse_newer(error, path)
            raise _damaged(path) from error
        except (OSError, ValueError) as error:
            raise _damaged(path) from error
        proposed = parse_proposal(verify_any(signed, self._coordinators, purpose=proposal.PURPOSE))
        return Accepted(proposed, kept.noise_multiplier)

    def has_proposal(self, run_hash: str) -> bool:
        """Whether a run was accepted, now or earlier."""
        return (self._plans / f"{run_hash}.json").is_file()


def _damaged(path: Path) -> DataError:
    return DataError(f"{path} is damaged; move it away, the coordinator sends it again when it is asked to.")
