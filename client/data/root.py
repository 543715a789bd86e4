"""The folder that a plan's paths start from, and what a plan may read of it: the only door to a merchant's files."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from common.errors import DataError
from common.plan.place import fault_of_place


@dataclass(frozen=True)
class DataRoot:
    """A folder of files.

    Attributes
    ----------
    allowed
        The columns that may be read, by file; None: all columns of all files below the folder.
    """

    folder: Path
    allowed: Mapping[str, Collection[str]] | None = None

    def find(self, path: str) -> Path:
        """Find a file, whatever links lie on the way to it.

        Guarantee: it lies below the folder, and is one that may be read; of any other nothing is asked of the disk.

        Raises
        ------
        DataError
            It does not.
        """
        fault = fault_of_place(path)
        if fault:
            raise DataError(f"{path!r} is no path below the data root, since {fault}; write it as sales.csv.")
        if self.allowed is not None and path not in self.allowed:
            raise DataError(f"The policy names no file {path!r} in data.files; add it, or stay away from the plan.")
        try:
            folder, place = self.folder.resolve(), (self.folder / path).resolve()
        except (OSError, RuntimeError, ValueError) as error:  # RuntimeError: links that lead in a circle
            raise DataError(f"{path!r} cannot be found below {self.folder}; look where its links lead.") from error
        if not place.is_relative_to(folder):
            raise DataError(
                f"{path!r} leads out of the data root {folder} by a link; put the file itself there, or name the "
                "folder that it lies in with --data-root."
            )
        return self.folder / path

    def choose(self, path: str, columns: Collection[str]) -> list[str]:
        """Keep of some columns those that may be read of a file."""
        return [column for column in columns if self.allowed is None or column in self.allowed.get(path, ())]


Root = Path | DataRoot


def as_root(root: Root) -> DataRoot:
    """Take a folder for one of which everything may be read."""
    return root if isinstance(root, DataRoot) else DataRoot(root)
