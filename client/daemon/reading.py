"""Data that is read while the daemon goes on: a large file may take minutes, and nobody is kept waiting that long."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from common.errors import MessageError

Read = TypeVar("Read")
LOOK_SECONDS = 0.5


class BackgroundReading(Generic[Read]):
    """Do something slow in a thread that ends with the process.

    Parameters
    ----------
    read
        What is done; whatever it raises comes out of `result`.
    after
        What has to end first, whether or not it was cancelled.
    """

    def __init__(self, read: Callable[[], Read], *, after: BackgroundReading[Read] | None = None) -> None:
        self._read, self._after = read, after
        self._done, self._cancelled = threading.Event(), threading.Event()
        self._result: Read | None = None
        self._error: Exception | None = None
        threading.Thread(target=self._run, name="reading", daemon=True).start()

    @property
    def has_failed(self) -> bool:
        """Whether it has ended with an error."""
        return self._error is not None

    def cancel(self) -> None:
        """Do not begin, or let go of what was read: nobody asks for it any more."""
        self._cancelled.set()
        self._result = None

    def is_done(self, *, within_seconds: float = 0.0) -> bool:
        """Wait so long for the end, and say whether it has come."""
        return self._done.wait(max(within_seconds, 0.0))

    def result(self, *, is_over: Callable[[], bool]) -> Read:
        """Wait for what was read, until `is_over` says that nobody waits any more; it is asked every half second.

        Raises
        ------
        MessageError
            It takes longer.
        """
        while not self.is_done(within_seconds=LOOK_SECONDS):
            if is_over():
                raise MessageError("The data is still being read, and nobody waits for this answer any more.")
        if self._error is not None:
            raise self._error
        assert self._result is not None  # noqa: S101  for mypy: it ended without an error
        return self._result

    def _run(self) -> None:
        if self._after is not None:
            self._after.is_done(within_seconds=threading.TIMEOUT_MAX)
            self._after = None
        try:
            if self._cancelled.is_set():
                raise MessageError("The data of another plan is read instead.")
            result = self._read()
            self._result = None if self._cancelled.is_set() else result
        except Exception as error:
            self._error = error
        self._done.set()
