"""Hold a folder for one process at a time; the kernel lets go when the process ends, however it ends."""

from __future__ import annotations

from pathlib import Path

from filelock import FileLock, Timeout

from common.errors import ConfigError


def hold(path: Path, *, taken: str) -> FileLock:
    """Take a lock file at once; it is held until the returned lock is released, or for as long as the process lives.

    Parameters
    ----------
    path
        The file; it stays when nobody holds it.
    taken
        The sentence where another process has it.

    Raises
    ------
    ConfigError
        Another process has it, or the folder cannot be written.
    """
    lock = FileLock(path, blocking=False)
    try:
        lock.acquire()
    except Timeout as error:
        raise ConfigError(taken) from error
    except OSError as error:
        raise ConfigError(
            f"Cannot write in {path.parent.resolve()}: {error.strerror}; make it writable, or choose another folder."
        ) from error
    return lock
