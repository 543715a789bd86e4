"""Whether the ledger's files are still those that were opened: a path may lead to another file meanwhile, or to none.

SQLite goes on with the file that it opened, whatever the path says. What is written then is lost with the process, and
another process that follows the path counts other spends. All three files matter: the newest lines stand in `-wal`, and
`-shm` is what keeps two writers apart. Neither is replaced while anybody has the ledger open.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from common.errors import PrivacyError

SUFFIXES = ("", "-wal", "-shm")
Identity = tuple[int, int]  # device and inode


@dataclass(frozen=True)
class OpenFiles:
    """The three files as they were when they were opened."""

    path: Path
    identities: tuple[Identity | None, ...]

    @classmethod
    def of(cls, path: Path) -> OpenFiles:
        """Remember the files behind a path; one that is not there is None."""
        return cls(path, tuple(identify(Path(f"{path}{suffix}")) for suffix in SUFFIXES))

    def require_same(self) -> None:
        """Refuse to go on with files that the path does not lead to.

        Raises
        ------
        PrivacyError
            One was deleted or replaced.
        """
        for suffix, before in zip(SUFFIXES, self.identities, strict=True):
            file = Path(f"{self.path}{suffix}")
            now = identify(file)
            if now is None or now != before:
                raise PrivacyError(
                    f"{file} was {'deleted' if now is None else 'replaced'} while this process uses it, so no round is "
                    "answered any more: stop hansa-client, bring the newest ledger back, and ask: hansa-client ledger "
                    "verify"
                )


def identify(file: Path) -> Identity | None:
    """Name the file that a path leads to; None where it leads to none."""
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
