"""The head of the ledger in another place, by which an older copy of the ledger shows (docs/protocol.md §6.1).

`ledger.head.json` stands beside the ledger, and says how many lines it has, its head, and what its accounts hold.
Where the merchant names a second file in another place, that one says the same. The ledger must have passed through
every head that is noted: one that lags behind is nothing, one that the ledger never had means an older copy, or another
ledger.

A line is committed first and noted then, and nothing is computed or sent for it before both. So every spend that
anything can have left for is in the noted accounts, and a ledger that lost lines can be charged for them (`recovery`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from client.account.ledger.balance import Account, accounts_of
from client.account.ledger.entry import Entry
from client.account.policy import Delta, Hash
from common.disk.file import replace_file
from common.errors import ConfigError, PrivacyError
from common.plan.reading import refuse_newer
from common.plan.schema import Document, Section, Unit

OWNER_ALONE = 0o600
WAY_OUT = "bring the newest ledger back; where it is lost, see: hansa-client ledger recover"


class NotedShare(Section):
    """What an account held whose noise was partly shared: mu squared if everybody else conspires, None without bound.

    Attributes
    ----------
    num_roundings
        Rounded Gaussians in what the coordinator saw.
    """

    mu_squared_alone: float | None
    num_roundings: int


class NotedAccount(Section):
    """What one account held: `mu_squared` is None where it has no bound, `shared` where all noise was its own."""

    dataset: str
    unit: Unit
    delta: Delta
    mu_squared: float | None
    num_coordinates: int
    shared: NotedShare | None = None

    @classmethod
    def of(cls, account: Account) -> NotedAccount:
        """Note an account as it is."""
        spent, alone = account.mu_squared(), account.mu_squared_alone()
        shared = NotedShare(mu_squared_alone=_bounded(alone), num_roundings=account.num_roundings)
        return cls(
            dataset=account.dataset,
            unit=account.unit,
            delta=account.delta,
            mu_squared=_bounded(spent),
            num_coordinates=account.num_coordinates,
            shared=shared if account.is_shared else None,
        )

    @property
    def spent(self) -> float:
        """Mu squared, infinite where nothing bounds it."""
        return math.inf if self.mu_squared is None else self.mu_squared

    @property
    def spent_alone(self) -> float:
        """The same if everybody else conspires."""
        if self.shared is None:
            return self.spent
        return math.inf if self.shared.mu_squared_alone is None else self.shared.mu_squared_alone

    @property
    def num_roundings(self) -> int:
        """Rounded Gaussians in what was seen."""
        return self.num_coordinates if self.shared is None else self.shared.num_roundings


def _bounded(mu_squared: float) -> float | None:
    return mu_squared if math.isfinite(mu_squared) else None


class Noted(Document):
    """What a head file holds; `also` is the second place, and stands in the file beside the ledger alone."""

    num_lines: int
    head: Hash
    accounts: tuple[NotedAccount, ...]
    also: str | None = None


@dataclass(frozen=True)
class HeadFiles:
    """The places where the head of one ledger is noted."""

    ledger: Path

    @property
    def beside(self) -> Path:
        """The file beside the ledger."""
        return self.ledger.with_name(f"{self.ledger.stem}.head.json")

    def read(self) -> dict[Path, Noted]:
        """Read what is noted in every place.

        Raises
        ------
        PrivacyError
            A file is not there or cannot be read.
        DataError
            A later version wrote it.
        """
        noted = {self.beside: read_noted(self.beside)}
        also = noted[self.beside].also
        return noted if also is None else noted | {Path(also): read_noted(Path(also))}

    def second_place(self, *, strict: bool) -> str | None:
        """Say which second place was named; where not `strict`, one whose files cannot be read is given up."""
        try:
            return self.read()[self.beside].also
        except PrivacyError:
            if strict:
                raise
            return None

    def is_begun(self) -> bool:
        """Whether a head was ever noted beside the ledger."""
        return self.beside.exists()

    def require_passed(self, noted: dict[Path, Noted], heads: Sequence[str]) -> None:
        """Refuse a ledger that lacks a head that was noted.

        Parameters
        ----------
        noted
            What was read before the ledger was, so that another process cannot be ahead meanwhile.
        heads
            The ledger's head after every number of lines, from none on.

        Raises
        ------
        PrivacyError
            It is an older copy, or another ledger.
        """
        for file, said in noted.items():
            if said.num_lines < len(heads) and heads[said.num_lines] == said.head:
                continue
            older = len(heads) - 1 < said.num_lines
            raise PrivacyError(
                f"{self.ledger} has {len(heads) - 1} lines and never had the head that {file} notes after "
                f"{said.num_lines}: it is {'an older copy' if older else 'another ledger'}, and nothing is answered or "
                f"spent; {WAY_OUT}"
            )

    def note(self, entries: Sequence[Entry], head: str, *, also: str | None) -> None:
        """Write the head everywhere.

        Guarantee: when this returns, it is on the disks.

        Raises
        ------
        OSError
            A file cannot be written.
        """
        accounts = tuple(NotedAccount.of(account) for account in accounts_of(entries))
        noted = Noted(num_lines=len(entries), head=head, accounts=accounts)
        if also is not None:
            replace_file(Path(also), noted.model_dump_json(indent=2).encode(), mode=OWNER_ALONE)
            noted = noted.model_copy(update={"also": also})
        replace_file(self.beside, noted.model_dump_json(indent=2).encode(), mode=OWNER_ALONE)


def read_noted(file: Path) -> Noted:
    """Read one head file.

    Raises
    ------
    PrivacyError
        It is not there or damaged.
    DataError
        A later version wrote it.
    """
    try:
        return Noted.model_validate_json(file.read_bytes())
    except FileNotFoundError as error:
        raise PrivacyError(
            f"There is no {file}, which notes how far the ledger went, so nothing is answered or spent; bring it back "
            "too, or see: hansa-client ledger recover"
        ) from error
    except (OSError, ValidationError) as error:
        if isinstance(error, ValidationError):
            refuse_newer(error, file)
        raise PrivacyError(
            f"{file}, which notes how far the ledger went, cannot be read, so nothing is answered or spent; bring it "
            "back, or see: hansa-client ledger recover"
        ) from error


def require_place(file: Path, ledger: Path) -> Path:
    """Give the absolute path of a second place.

    Raises
    ------
    ConfigError
        Its folder is not there, or it is the ledger's own.
    """
    place = file.absolute()
    if not place.parent.is_dir():
        raise ConfigError(f"There is no folder {place.parent}; make it, or name another file.")
    if place.parent.resolve() == ledger.parent.resolve():
        raise ConfigError(f"{place} is in the ledger's own folder, where a head is noted already; name another place.")
    return place
