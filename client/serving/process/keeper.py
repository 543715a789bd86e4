"""Keep the current edition current: look at the shop every two seconds, and have another one made where it differs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, date, datetime
from time import monotonic

from client.serving.edition.disk import read_edition
from client.serving.edition.edition import Edition
from client.serving.folder import ServedFolder
from client.serving.key import Glance, glance, read_key, today_of
from client.serving.process.child import Child
from client.serving.process.served import Making, Served
from client.shop.settings import Shop, read_shop
from common.errors import DataError, HansaError

LOGGER = logging.getLogger(__name__)
LOOK_SECONDS = 2.0
LONGEST_WAIT_SECONDS = 60.0  # for a shop that changes all the time to come to rest
AGAIN_SECONDS = 300.0  # after an attempt that failed, where nothing has changed
CRASHED = "The edition could not be made: the process that makes it ended ({code}{words}); another one tries again."
FAULT = "No newer edition could be made, by a fault of this machine or of hansa's ({what}); it is tried again."
OnSwap = Callable[[Edition], Awaitable[None]]


class Keeper:
    """Watch a shop's folder, and swap in what is made.

    Parameters
    ----------
    on_swap
        Told of each edition once it is current.
    """

    def __init__(self, home: ServedFolder, served: Served, *, on_swap: OnSwap) -> None:
        self._home, self._served, self._on_swap = home, served, on_swap
        self._asked = asyncio.Event()
        self._seen: Glance | None = None
        self._failed_at = -AGAIN_SECONDS

    def ask(self) -> None:
        """Have a new edition made, whether anything has changed or not."""
        self._asked.set()

    async def load_last(self) -> None:
        """Serve the newest edition that is on disk, until a newer one is made."""
        for folder in await asyncio.to_thread(self._home.list_editions):
            try:
                self._served.swap(await asyncio.to_thread(read_edition, folder))
            except DataError as error:
                LOGGER.warning("%s", error)
                continue
            assert self._served.current is not None  # noqa: S101  for mypy: just swapped in
            await self._on_swap(self._served.current)
            return

    async def run(self) -> None:
        """Watch and make, until cancelled."""
        while True:
            wanted = self._asked.is_set()
            self._asked.clear()
            try:
                if wanted or await self._is_behind():
                    await self._make()
            except HansaError as error:
                self._served.trouble = str(error)
            except Exception as error:  # whatever it is, the next look may find it gone
                LOGGER.error("keeping the edition: %s", type(error).__name__)
                self._served.trouble = FAULT.format(what=type(error).__name__)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._asked.wait(), LOOK_SECONDS)

    async def _is_behind(self) -> bool:
        """Whether the shop has changed since what is served, and come to rest."""
        shop = await asyncio.to_thread(read_shop, self._home.shop)
        day = today_of(shop)
        seen = await asyncio.to_thread(glance, self._home.shop, shop, day)
        failed = self._served.trouble != "" and monotonic() - self._failed_at > AGAIN_SECONDS
        if seen == self._seen and not failed:
            return False
        if self._seen is not None:
            seen = await self._await_rest(seen, shop, day)
        self._seen = seen
        self._served.is_stale = await self._differs(shop, day)
        if not self._served.is_stale:
            self._served.trouble = ""
        return self._served.is_stale

    async def _await_rest(self, seen: Glance, shop: Shop, day: date) -> Glance:
        """Wait until two looks see the same, as between the commits of an import; for a minute at most."""
        until = monotonic() + LONGEST_WAIT_SECONDS
        while monotonic() < until:
            await asyncio.sleep(LOOK_SECONDS / 2)
            now = await asyncio.to_thread(glance, self._home.shop, shop, day)
            if now == seen:
                break
            seen = now
        return seen

    async def _differs(self, shop: Shop, day: date) -> bool:
        current = self._served.current
        return current is None or await asyncio.to_thread(read_key, self._home.shop, shop, day) != current.imprint.key

    async def _make(self) -> None:
        making = Making(datetime.now(UTC))
        self._served.making, self._served.is_stale = making, True
        child = await Child.start(["client.serving.making", str(self._home.shop)])
        name, trouble = "", ""
        try:
            async for line in child.lines():
                if "share" in line:
                    making.what, making.share = line["what"], line["share"]
                name, trouble = line.get("made", name), line.get("trouble", trouble)
            code = await child.wait()
        finally:
            self._served.making = None
            await child.stop()
        if name:
            await self._swap(name)
        else:
            words = f": {child.last_words}" if child.last_words else ""
            self._served.trouble = trouble or CRASHED.format(code=f"exit code {code}", words=words)
            self._failed_at = monotonic()

    async def _swap(self, name: str) -> None:
        edition = await asyncio.to_thread(read_edition, self._home.edition(name))
        self._served.swap(edition)
        self._served.is_stale = False
        self._seen = None  # what changed while it was made is looked at next
        await self._on_swap(edition)
        await asyncio.to_thread(self._home.forget_old)
