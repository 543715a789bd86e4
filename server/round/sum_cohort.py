"""What a coordinator decided of one cohort's sums, and what it keeps of a round of them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace

from jaxtyping import Int64
from torch import Tensor

from common.message.round import RoundRequest
from common.message.signature import Signed
from common.privacy.mechanism import Mechanism
from common.secure_sum.mask import Vector
from common.secure_sum.roster import Session
from server.round.collection import Refusal
from server.round.federation import Federation
from server.round.sum_book import SumBook
from server.secure_sum.blame import Blame
from server.secure_sum.round import SumRound

SignCall = Callable[[RoundRequest, Collection[str]], Signed | None]
NoteAnswers = Callable[[int, Collection[str]], None]


@dataclass
class OpenRound:
    """What came of a round so far, kept from one attempt to the next.

    Attributes
    ----------
    masked
        The masked sums that have come, by member.
    """

    sums: SumRound
    masked: dict[str, Vector] = field(default_factory=dict)
    attempts: int = 0


@dataclass(frozen=True)
class CohortRound:
    """What a round came to in one cohort.

    Attributes
    ----------
    survivors
        Whose sums are in the cohort's; nobody where there is none.
    size_class
        Of all survivors together.
    total
        The cohort's sum, in lattice steps; None where there is none.
    is_over
        Whether the round is never asked for again in this cohort.
    failure
        Why there is no sum; empty where there is one.
    """

    round_number: int
    survivors: tuple[str, ...] = ()
    size_class: int = 0
    total: Int64[Tensor, " parameter"] | None = None
    is_over: bool = False
    failure: str = ""
    blame: Blame = field(default_factory=Blame)
    refused: Mapping[str, Refusal] = field(default_factory=dict)
    trips: Mapping[str, float] = field(default_factory=dict)
    sent_bytes: int = 0
    received_bytes: int = 0

    def said_before(self) -> CohortRound:
        """Give the same without what was told of it when it was held, while another cohort is asked again."""
        return replace(self, blame=Blame(), refused={}, trips={}, sent_bytes=0, received_bytes=0)


@dataclass
class SumCohort:
    """What the coordinator decided before a round of one cohort, and what it keeps of it.

    Attributes
    ----------
    federation
        Of the whole launch: its cohort is everyone who has accepted, and its quorum the threshold of each sum.
    session
        The cohort's; of a roster that stays whole, everyone's.
    names
        Of everyone in this cohort who has accepted, by node id.
    open
        The round under way, if there is one.
    held
        What the round under way came to, while it is under way with other cohorts.
    openings
        How often a round was tried to be begun in vain.
    broken
        Members who made wrong shares: no later round is begun with them, until the process is started again.
    """

    federation: Federation
    session: Session
    book: SumBook
    names: Mapping[int, str]
    open: OpenRound | None = None
    held: CohortRound | None = None
    openings: int = 0
    broken: set[str] = field(default_factory=set)

    @property
    def has_enough(self) -> bool:
        """Whether so many have accepted that they could make a sum."""
        return len(self.names) >= self.session.threshold

    @property
    def num_rounds(self) -> int:
        """How many rounds the plan has."""
        return self.federation.training.num_rounds

    @property
    def mechanism(self) -> Mechanism:
        """What each merchant does; the same for all."""
        return next(iter(self.federation.cohort.values())).mechanism


@dataclass(frozen=True)
class Asking:
    """How a round is asked for, and who is told of it.

    Attributes
    ----------
    not_awaited
        Nodes that are asked too, but hold nobody up once there are enough.
    note_answers
        Called with the round's number and whose sums are in it, before anything follows from them.
    withdrawn
        Asked again and again: nodes that take no part any more.
    sign_call
        Signs who is asked, by name; in one process nobody does.
    """

    not_awaited: Collection[int] = ()
    note_answers: NoteAnswers = lambda round_number, names: None
    withdrawn: Callable[[], Collection[int]] = tuple
    sign_call: SignCall = lambda request, names: None
