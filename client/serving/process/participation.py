"""Taking part in a federation from the page: `hansa-client run` in a process of its own, for as long as it is wanted.

It is wanted from the day that the owner says so until she says otherwise; a note beside what is served keeps that, so
that it goes on when the server starts again. It never touches what is served: a model that came is seen as any change
of the shop is.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Literal

from client.daemon.health import is_alive
from client.folder import MerchantFolder
from client.serving.folder import ServedFolder
from client.serving.process.child import Child
from client.shop.settings import read_shop
from client.shop.setup.joining import data_root_of
from common.disk.file import replace_file
from common.errors import ConfigError, HansaError

FIRST_PAUSE_SECONDS, LAST_PAUSE_SECONDS = 5.0, 300.0
PATIENCE_SECONDS = 15.0  # for the answer in hand
LOG_WORD = "hansa-client: "
Who = Literal["us", "another", "nobody"]


class Participation:
    """Who answers rounds for one shop.

    Attributes
    ----------
    trouble
        Why the process that answers ended, in a sentence; "" where it runs or is not wanted.
    """

    def __init__(self, home: ServedFolder) -> None:
        self._home, self._merchant = home, MerchantFolder(home.shop)
        self._task: asyncio.Task[None] | None = None
        self._child: Child | None = None
        self.trouble = ""

    @property
    def is_wanted(self) -> bool:
        """Whether the owner has said that the shop takes part."""
        return self._home.taking_part.exists()

    def tell_who(self) -> Who:
        """Tell who answers rounds now: the process that was started here, another one, or nobody."""
        if self._child is not None and self._child.is_alive:
            return "us"
        return "another" if is_alive(self._merchant.health) else "nobody"

    async def begin(self) -> None:
        """Take part from now on.

        Raises
        ------
        ConfigError
            No federation was joined, another process answers already, or the folder cannot be written.
        """
        if not self._merchant.federation.exists():
            raise ConfigError("No federation was joined yet; first take the steps above.")
        if self._task is None and self.tell_who() == "another":
            raise ConfigError("Another hansa-client run answers for this shop already; stop that one first.")
        try:
            await asyncio.to_thread(replace_file, self._home.taking_part, b"", mode=0o600)
        except OSError as error:
            raise ConfigError(f"Cannot write {self._home.taking_part}: {error.strerror}; make room.") from error
        self.resume()

    def resume(self) -> None:
        """Go on where it is wanted and nothing runs yet."""
        if self.is_wanted and self._task is None:
            self.trouble = ""
            self._task = asyncio.create_task(self._keep_on())

    async def end(self) -> None:
        """Take part no longer, until the owner says otherwise."""
        self._home.taking_part.unlink(missing_ok=True)
        await self.stop()

    async def stop(self) -> None:
        """End the process after the answer in hand; it goes on when the server starts again."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        self.trouble = ""

    async def _keep_on(self) -> None:
        pause = FIRST_PAUSE_SECONDS
        while True:
            began = asyncio.get_running_loop().time()
            try:
                self.trouble = await self._run()
            except HansaError as error:
                self.trouble = str(error)
            except OSError as error:  # no more processes, or no memory for one
                self.trouble = f"hansa-client run cannot be started: {error.strerror}; it is tried again."
            lasted = asyncio.get_running_loop().time() - began
            pause = FIRST_PAUSE_SECONDS if lasted > LAST_PAUSE_SECONDS else min(2 * pause, LAST_PAUSE_SECONDS)
            await asyncio.sleep(pause)

    async def _run(self) -> str:
        """Have it answer until it ends, and give its last words where it ended by a fault."""
        shop = await asyncio.to_thread(read_shop, self._home.shop)
        folder = self._home.shop.resolve()
        root = folder / data_root_of(shop)
        self._child = await Child.start(["client", "run", "--folder", str(folder), "--data-root", str(root)])
        try:
            self.trouble = ""
            code = await self._child.wait()
            words = self._child.last_words
        finally:
            await self._child.stop(patience_seconds=PATIENCE_SECONDS)
        return "" if code == 0 else words.removeprefix(LOG_WORD) or f"hansa-client run ended with exit code {code}."
