"""Whose sums were proposed lately: the rosters, so that fingerprints can be compared before a plan is accepted.

A proposal that is refused for want of verified merchants is kept nowhere else. The book decides nothing: it is what
`hansa-client peers` reads, and a damaged or missing one is written anew with the next proposal.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from pydantic import AwareDatetime, ValidationError

from common.disk.file import write_whole
from common.disk.reading import read_file
from common.errors import DataError
from common.message.proposal import Proposal
from common.plan.reading import refuse_newer
from common.plan.schema import Count, Document, Section
from common.secure_sum.cohort import form_cohorts
from common.secure_sum.roster import Peer

MOST_ROSTERS = 10  # a coordinator may propose any number


class ProposedRoster(Section):
    """Everyone in one proposal of a sum, and when it was proposed last.

    Attributes
    ----------
    cohort
        About how many of them sum together, where the plan says so; see `common.secure_sum.cohort`.
    """

    plan: str
    run_hash: str
    at: AwareDatetime
    roster: tuple[Peer, ...]
    cohort: Count | None = None

    def mates_of(self, key: str) -> tuple[Peer, ...]:
        """Give who sums with the holder of a key (hex), itself included; everyone where it is not in the roster."""
        cohorts = form_cohorts(self.roster, self.run_hash, self.cohort)
        return next((mates for mates in cohorts if key in {peer.key for peer in mates}), self.roster)


class PeerBook(Document):
    """The latest rosters, the newest last."""

    rosters: tuple[ProposedRoster, ...]


def read_rosters(file: Path) -> tuple[ProposedRoster, ...]:
    """Read the latest rosters; none where nothing was proposed yet.

    Raises
    ------
    DataError
        The file is damaged, or a later version wrote it.
    """
    if not file.exists():
        return ()
    try:
        return PeerBook.model_validate_json(read_file(file)).rosters
    except ValidationError as error:
        refuse_newer(error, file)
        raise DataError(f"{file} cannot be read; move it away, and have the plan proposed again.") from error
    except OSError as error:
        raise DataError(f"Cannot read {file}: {error.strerror}.") from error


def note_roster(file: Path, proposed: Proposal, *, at: datetime) -> None:
    """Note the roster of a signed proposal, whether or not it is accepted; nothing where it has none."""
    if proposed.roster is None:
        return
    try:
        before = read_rosters(file)
    except DataError:
        before = ()
    others = [each for each in before if each.run_hash != proposed.run_hash]
    terms = proposed.plan.privacy.sum
    latest = ProposedRoster(
        plan=proposed.plan.name,
        run_hash=proposed.run_hash,
        at=at,
        roster=proposed.roster,
        cohort=None if terms is None else terms.cohort,
    )
    book = PeerBook(rosters=(*others, latest)[-MOST_ROSTERS:])
    write_whole(file, book.model_dump_json(indent=1).encode())
