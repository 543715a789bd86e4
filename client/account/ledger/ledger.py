"""The ledger: accounts that are opened once, rounds that are charged once, and messages that are sealed once.

How its lines reach the disk, and what is looked at before each of them, is in `client.account.ledger.file`.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path

from client.account.late_round import round_is_over
from client.account.ledger.balance import Account, accounts_of, require_room, require_room_alone
from client.account.ledger.entry import Agreed, Entry, Opening, Seal, Spend
from client.account.ledger.file import NOTED, SCHEMA, LedgerFile
from client.account.ledger.head_file import HeadFiles, read_noted
from client.account.ledger.open_files import SUFFIXES
from client.account.ledger.trouble import AGREEING, CHARGED, NOTING, OPENING_ACCOUNT, RECOVERING, RESERVING, SEALING
from client.account.policy import Budget
from common.disk.file import sync_folder
from common.errors import PrivacyError
from common.plan.schema import Unit


class Ledger(LedgerFile):
    """One merchant's ledger; several threads and processes may hold it open."""

    @property
    def accounts(self) -> list[Account]:
        """Every account, with its spends."""
        return accounts_of(self.entries)

    def account(self, dataset: str, unit: Unit) -> Account:
        """Give one account.

        Raises
        ------
        PrivacyError
            It was never opened.
        """
        for account in self.accounts:
            if (account.dataset, account.unit) == (dataset, unit):
                return account
        raise PrivacyError(
            f"{self.path} has no account for data set {dataset!r} and unit {unit}; open it with: "
            "hansa-client ledger open"
        )

    def open_account(self, dataset: str, unit: Unit, *, delta: float, at: datetime) -> None:
        """Open an account, once.

        Raises
        ------
        PrivacyError
            It is open, or releases that nothing bounds were made of its data set before.
        """
        opening = Opening(at=at, dataset=dataset, unit=unit, delta=delta)
        with self._writing(OPENING_ACCOUNT):
            (fresh,) = accounts_of([*self._spends(), opening])
            if (dataset, unit) in {(account.dataset, account.unit) for account in accounts_of(self._entries)}:
                raise PrivacyError(f"The account for data set {dataset!r} and unit {unit} is open already; use it.")
            if fresh.guarantee().epsilon == float("inf"):
                raise PrivacyError(
                    f"Data set {dataset!r} was released without a bound for one {unit}, so no account can promise "
                    f"a {unit} anything any more; leave it out."
                )
            self._append(opening)

    def reserve(
        self,
        spend: Spend,
        budgets: Mapping[Unit, Budget],
        *,
        ceilings: Mapping[Unit, float] | None = None,
        allow_without_noise: bool = False,
        num_rounds: int = 1,
    ) -> int:
        """Charge a spend to every account of its data set that it concerns; return its number.

        Asked for again in the same words, a round that is charged is not charged again.

        Guarantee: when this returns, the spend is on the disk and its head is noted. When it raises, nothing is spent,
        or the sentence says that it is.

        Parameters
        ----------
        ceilings
            Most epsilon for life if everybody else conspires; without one for an account no noise may be shared.
        num_rounds
            Rounds that there must be room for, this one and those that follow it; one is charged.

        Raises
        ------
        MessageError
            The round is over: charged in other words, or a later one is.
        BudgetExhausted, PrivacyError
            An account has no room, no budget, or does not exist.
        """
        with self._writing(CHARGED if self._knows(spend) else RESERVING):
            self._require_durable()
            number = self._find(spend)
            if number is not None:
                return number
            self.require_allowed(
                spend, budgets, ceilings=ceilings, allow_without_noise=allow_without_noise, num_rounds=num_rounds
            )
            return self._append(spend)

    def require_allowed(
        self,
        spend: Spend,
        budgets: Mapping[Unit, Budget],
        *,
        ceilings: Mapping[Unit, float] | None = None,
        allow_without_noise: bool = False,
        num_rounds: int = 1,
    ) -> None:
        """Refuse what `reserve` would refuse, for as many rounds, and charge nothing."""
        own = self.account(spend.dataset, spend.unit)
        if spend.noise_multiplier == 0:
            if not allow_without_noise:
                raise PrivacyError(
                    "The policy does not allow training without noise; only plan.allow_training_without_noise would."
                )
            return
        for account in self.accounts:
            if account.dataset != own.dataset or spend.cost(account.unit) == 0:
                continue
            budget = budgets.get(account.unit)
            if budget is None:
                raise PrivacyError(
                    f"A plan about one {spend.unit} also costs every {account.unit} of {account.dataset!r}, whose "
                    f"account is open, and the policy has no budget for it; add the section [{account.unit}]."
                )
            require_room(account, budget, spend, num_rounds=num_rounds)
            require_room_alone(account, (ceilings or {}).get(account.unit), spend, num_rounds=num_rounds)

    def seal(self, number: int, content: bytes, *, at: datetime) -> bytes:
        """Keep the message for a spend; return the one that may be sent, which is the first ever sealed.

        Guarantee: when this returns, the message is on the disk, and no other can ever be sealed for the spend.
        """
        with self._writing(SEALING):
            self._require_durable()
            sealed = self.message(number)
            if sealed is not None:
                return sealed
            digest = hashlib.sha256(content).hexdigest()
            self._append(Seal(at=at, spend=number, digest=digest, num_bytes=len(content)))
            self._connection.execute("INSERT INTO message (spend, content) VALUES (?, ?)", (number, content))
            return content

    def message(self, number: int) -> bytes | None:
        """Give the message that is sealed for a spend; None where there is none.

        Raises
        ------
        PrivacyError
            It is not the one that was sealed.
        """
        with self.snapshot():
            self._catch_up()
            row = self._connection.execute("SELECT content FROM message WHERE spend = ?", (number,)).fetchone()
        digests = [entry.digest for entry in self._entries if isinstance(entry, Seal) and entry.spend == number]
        contents = [] if row is None else [bytes(row[0])]
        if [hashlib.sha256(content).hexdigest() for content in contents] != digests:
            raise PrivacyError(f"The message of line {number} in {self.path} was changed; restore the file.")
        return contents[0] if contents else None

    def agree(self, agreed: Agreed) -> None:
        """Note the one set of survivors of a round of a secure sum; the same set may be noted again.

        Guarantee: when this returns, the set is on the disk and its head is noted, and no other ever will be for this
        session and round.

        Raises
        ------
        PrivacyError
            Another set, or one at another model, is noted, or the round was never charged here: a ledger that lost
            lines charges a lost round once more before it agrees to anything of it.
        """
        with self._writing(AGREEING):
            self._require_durable()
            if not any(isinstance(entry, Spend) and entry.is_of(agreed) for entry in self._entries):
                raise PrivacyError(
                    f"Round {agreed.round_number} of this sum is not charged in the ledger with this model; nothing is "
                    "agreed on."
                )
            for known in self._entries:
                if isinstance(known, Agreed) and known.place == agreed.place:
                    if known.said != agreed.said:
                        raise PrivacyError(
                            f"Round {agreed.round_number} of this sum is agreed on with another set of merchants or "
                            "another model; a second sum of it would tell one merchant's part."
                        )
                    return
            self._append(agreed)

    @property
    def num_messages(self) -> int:
        """Messages that are kept; as many as seals."""
        with self._lock, self._translated():
            return int(self._connection.execute("SELECT count(*) FROM message").fetchone()[0])

    def note_also(self, file: Path | None) -> None:
        """Note the head in a second place from now on; None gives the second place up.

        Raises
        ------
        PrivacyError
            The file notes a head that this ledger never had, or cannot be written.
        """
        with self._writing(NOTING):
            if file is not None and file.exists():
                self._head_files.require_passed({file: read_noted(file)}, self._heads)
            self._note(also=None if file is None else str(file))

    def recover(self, entries: Sequence[Entry]) -> None:
        """Append lines for what was lost, and note the head, whatever was noted before; see `recovery`."""
        with self._writing(RECOVERING):
            for entry in entries:
                self._append(entry)
        self._trusts_head = True

    def _spends(self) -> list[Entry]:
        return [entry for entry in self._entries if isinstance(entry, Spend)]

    def _knows(self, spend: Spend) -> bool:
        """Whether a spend of the same request was read already."""
        words = spend.dataset, spend.plan_hash, spend.round_number, spend.model_hash
        return words in {
            (entry.dataset, entry.plan_hash, entry.round_number, entry.model_hash)
            for entry in self._entries
            if isinstance(entry, Spend)
        }

    def _find(self, spend: Spend) -> int | None:
        """Look for the spend of the same request; raise where its round is over."""
        same_plan = [
            (number, entry)
            for number, entry in enumerate(self._entries, start=1)
            if isinstance(entry, Spend) and (entry.dataset, entry.plan_hash) == (spend.dataset, spend.plan_hash)
        ]
        for number, entry in same_plan:
            if (entry.round_number, entry.model_hash) == (spend.round_number, spend.model_hash):
                if entry.session != spend.session:
                    raise PrivacyError(
                        f"Round {spend.round_number} of plan {spend.plan_hash[:12]} was charged for a sum of other "
                        "merchants; it is lost, go on with the next round."
                    )
                if entry.terms != spend.terms and self.message(number) is None:
                    raise PrivacyError(
                        f"Round {spend.round_number} of plan {spend.plan_hash[:12]} was charged for other noise and "
                        "never sent; it is lost, go on with the next round."
                    )
                return number
        latest = max((entry.round_number for _, entry in same_plan), default=0)
        if spend.round_number <= latest:
            raise round_is_over(spend.round_number, latest)
        return None


def create_ledger(path: Path) -> None:
    """Make an empty ledger, readable by its owner alone, and note its head.

    Raises
    ------
    PrivacyError
        There is a file already, or it cannot be made; then nothing is left of it.
    """
    if path.exists():
        raise PrivacyError(f"There is a ledger {path} already; what was spent stays spent.")
    _require_unnoted(path)
    make_file(path)
    try:
        Ledger(path).close()  # notes its head
    except BaseException:
        _unmake(path)
        HeadFiles(path).beside.unlink(missing_ok=True)  # there was none before
        raise


def make_file(path: Path) -> None:
    """Make the file of a ledger without a line, whose head is not noted yet.

    Raises
    ------
    PrivacyError
        There is a file already, or it cannot be made; then nothing is left of it.
    """
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError as error:
        raise PrivacyError(f"There is a ledger {path} already; what was spent stays spent.") from error
    except OSError as error:
        raise PrivacyError(f"Cannot make the ledger {path}: {error}; choose another folder.") from error
    try:
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.executescript(f"BEGIN; {SCHEMA} PRAGMA user_version = {NOTED - 1}; COMMIT;")
        sync_folder(path.parent)
    except (OSError, sqlite3.Error) as error:
        _unmake(path)
        raise PrivacyError(f"Cannot make the ledger {path}: {error}; make room, or choose another folder.") from error


def _unmake(path: Path) -> None:
    """Take an unfinished file away: it would be taken for a ledger that lost its tables."""
    for suffix in SUFFIXES:
        with suppress(OSError):
            os.unlink(f"{path}{suffix}")


def _require_unnoted(path: Path) -> None:
    """Refuse to begin anew beside the head of a ledger that is gone."""
    files = HeadFiles(path)
    if files.is_begun():
        raise PrivacyError(
            f"{files.beside} notes the head of a ledger that is not here, and what was spent stays spent; bring {path} "
            "back, and where it is lost see: hansa-client ledger recover"
        )


def now_utc() -> datetime:
    """Return the time that a line carries."""
    return datetime.now(UTC)
