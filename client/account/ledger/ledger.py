"""The ledger on disk: append-only, chained, and written through to the disk before anything follows from it.

SQLite in WAL mode with synchronous=FULL: a transaction that has returned survives kill -9 and power loss, and one
that has not leaves no trace. The standard sqlite3 module, not an ORM: there are five statements, and what they lock
and sync is the point. The sealed message stands in the same transaction as the line that names its hash.

    entry    number, line, head    every line that was ever written; see `client.account.ledger.entry`
    message  spend, content        the bytes that were sealed for a spend, at most one message each

See docs/protocol.md §6.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from threading import RLock

from pydantic import ValidationError

from client.account.answer_log import round_is_over
from client.account.ledger.balance import Account, accounts_of, require_room
from client.account.ledger.entry import START, Entry, Opening, Seal, Spend, chain, read_entry, write_entry
from client.account.policy import Budget
from common.disk.database import Step, migrate
from common.disk.file import sync_folder
from common.errors import PrivacyError
from common.plan.schema import Unit

BUSY_SECONDS = 30.0
SCHEMA = """
CREATE TABLE entry (number INTEGER PRIMARY KEY, line TEXT NOT NULL, head TEXT NOT NULL) STRICT;
CREATE TABLE message (spend INTEGER PRIMARY KEY REFERENCES entry (number), content BLOB NOT NULL) STRICT;
CREATE TRIGGER entry_stays BEFORE UPDATE ON entry BEGIN SELECT RAISE (ABORT, 'append-only'); END;
CREATE TRIGGER entry_remains BEFORE DELETE ON entry BEGIN SELECT RAISE (ABORT, 'append-only'); END;
CREATE TRIGGER message_stays BEFORE UPDATE ON message BEGIN SELECT RAISE (ABORT, 'append-only'); END;
CREATE TRIGGER message_remains BEFORE DELETE ON message BEGIN SELECT RAISE (ABORT, 'append-only'); END;
"""
# A ledger of version 0 is one of version 1 that does not say so. Looking for a line keeps a file that holds no ledger
# from becoming an empty one: a migration never makes a table, since that would forget what was spent.
STEPS: tuple[Step, ...] = (("SELECT number FROM entry LIMIT 1", "SELECT spend FROM message LIMIT 1"),)


class Ledger:
    """One merchant's ledger; several threads and processes may hold it open.

    Parameters
    ----------
    path
        A file that `create_ledger` made.

    Raises
    ------
    PrivacyError
        There is no such file, or a line in it was changed: nothing may be spent then.
    DataError
        A later version of hansa wrote it.
    """

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise PrivacyError(
                f"There is no ledger {path}; bring it back from where it is kept. Only for data from which nothing "
                "was ever released make one, with: hansa-client ledger open"
            )
        self.path = path
        self._lock = RLock()
        self._entries: list[Entry] = []
        self._heads = [START]
        with self._translated():
            self._connection = sqlite3.connect(
                path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
        try:
            self._set_up()
        except BaseException:
            self._connection.close()
            raise

    def _set_up(self) -> None:
        with self._translated():
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = FULL")
            self._connection.execute("PRAGMA foreign_keys = ON")
            migrate(self._connection, STEPS, path=self.path)
        self._catch_up()

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    def setting(self, name: str) -> str | int:
        """Read a PRAGMA of the very connection that writes, for an audit."""
        with self._lock, self._translated():
            value: str | int = self._connection.execute(f"PRAGMA {name}").fetchone()[0]
        return value

    @property
    def entries(self) -> tuple[Entry, ...]:
        """Every line so far, in order; the first has number 1."""
        self._catch_up()
        return tuple(self._entries)

    @property
    def heads(self) -> tuple[str, ...]:
        """The head after every number of lines, from none on."""
        self._catch_up()
        return tuple(self._heads)

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
        with self._writing():
            (fresh,) = accounts_of([*self._spends(), opening])
            if (dataset, unit) in {(account.dataset, account.unit) for account in accounts_of(self._entries)}:
                raise PrivacyError(f"The account for data set {dataset!r} and unit {unit} is open already; use it.")
            if fresh.guarantee().epsilon == float("inf"):
                raise PrivacyError(
                    f"Data set {dataset!r} was released without a bound for one {unit}, so no account can promise "
                    f"a {unit} anything any more; leave it out."
                )
            self._append(opening)

    def reserve(self, spend: Spend, budgets: Mapping[Unit, Budget], *, allow_without_noise: bool = False) -> int:
        """Charge a spend to every account of its data set that it concerns; return its number.

        Asked for again in the same words, a round that is charged is not charged again.

        Guarantee: when this returns, the spend is on the disk; when it raises, nothing is.

        Raises
        ------
        MessageError
            The round is over: charged in other words, or a later one is.
        BudgetExhausted, PrivacyError
            An account has no room, no budget, or does not exist.
        """
        with self._writing():
            number = self._find(spend)
            if number is not None:
                return number
            self.require_allowed(spend, budgets, allow_without_noise=allow_without_noise)
            return self._append(spend)

    def require_allowed(
        self,
        spend: Spend,
        budgets: Mapping[Unit, Budget],
        *,
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

    def seal(self, number: int, content: bytes, *, at: datetime) -> bytes:
        """Keep the message for a spend; return the one that may be sent, which is the first ever sealed.

        Guarantee: when this returns, the message is on the disk, and no other can ever be sealed for the spend.
        """
        with self._writing():
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

    @property
    def num_messages(self) -> int:
        """Messages that are kept; as many as seals."""
        with self._lock, self._translated():
            return int(self._connection.execute("SELECT count(*) FROM message").fetchone()[0])

    def _spends(self) -> list[Entry]:
        return [entry for entry in self._entries if isinstance(entry, Spend)]

    def _find(self, spend: Spend) -> int | None:
        """Look for the spend of the same request; raise where its round is over."""
        same_plan = [
            (number, entry)
            for number, entry in enumerate(self._entries, start=1)
            if isinstance(entry, Spend) and (entry.dataset, entry.plan_hash) == (spend.dataset, spend.plan_hash)
        ]
        for number, entry in same_plan:
            if (entry.round_number, entry.model_hash) == (spend.round_number, spend.model_hash):
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

    def _append(self, entry: Entry) -> int:
        """Write a line inside a transaction; it is read back, hence counted, once that is on the disk."""
        number, line = len(self._entries) + 1, write_entry(entry)
        head = chain(self._heads[-1], line)
        self._connection.execute("INSERT INTO entry (number, line, head) VALUES (?, ?, ?)", (number, line, head))
        return number

    def _catch_up(self) -> None:
        """Read the lines that this or another process has written since, and check that they hang together."""
        with self._lock, self._translated():
            known = len(self._entries)
            rows = self._connection.execute(
                "SELECT number, line, head FROM entry WHERE number > ? ORDER BY number", (known,)
            ).fetchall()
            for place, (number, line, head) in enumerate(rows, start=known + 1):
                if number != place or head != chain(self._heads[-1], line):
                    raise PrivacyError(
                        f"Line {place} of {self.path} was changed, dropped or moved; nothing may be spent on this "
                        "ledger: restore it from a copy."
                    )
                self._entries.append(read_entry(line))
                self._heads.append(head)

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Read one state of the file inside, whatever another process writes meanwhile."""
        with self._lock, self._translated():
            if self._connection.in_transaction:
                yield
                return
            self._connection.execute("BEGIN")
            try:
                yield
            finally:
                self._connection.execute("ROLLBACK")

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Hold the only pen: nobody else writes between what is read inside and what is written."""
        with self._lock, self._translated():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                self._catch_up()
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Make one sentence of a full, broken or foreign file."""
        try:
            yield
        except sqlite3.Error as error:
            raise PrivacyError(f"Cannot use the ledger {self.path}: {error}; nothing was spent.") from error
        except ValidationError as error:
            raise PrivacyError(
                f"{self.path} has a line that this version of hansa cannot read; use the one that wrote it."
            ) from error


def create_ledger(path: Path) -> None:
    """Make an empty ledger, readable by its owner alone.

    Raises
    ------
    PrivacyError
        There is a file already, or it cannot be made.
    """
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.executescript(f"BEGIN; {SCHEMA} PRAGMA user_version = {len(STEPS)}; COMMIT;")
        sync_folder(path.parent)
    except FileExistsError as error:
        raise PrivacyError(f"There is a ledger {path} already; what was spent stays spent.") from error
    except (OSError, sqlite3.Error) as error:
        raise PrivacyError(f"Cannot make the ledger {path}: {error}; choose another folder.") from error


def now_utc() -> datetime:
    """Return the time that a line carries."""
    return datetime.now(UTC)
