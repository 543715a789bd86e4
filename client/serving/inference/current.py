"""The models of a shop that is served: `shop` of the current edition, and `demand` of the networks that it has.

`shop` follows the edition at once. Released networks are looked for once a second whether the edition has changed,
since its key depends on them (`client.serving.key`); a version that was served before can be asked for by its name.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress

from client.daemon.membership import read_federation
from client.daemon.store import Store
from client.folder import MerchantFolder
from client.serving.edition.edition import Edition, NotThere
from client.serving.folder import ServedFolder
from client.serving.inference.batching import Batcher
from client.serving.inference.demand import model as demand
from client.serving.inference.demand.network import DemandNetwork, read_public, read_released
from client.serving.inference.model import Served as Model
from client.serving.inference.shop_model import NAME as SHOP
from client.serving.inference.shop_model import ShopModel
from client.serving.process.served import Served
from common.errors import HansaError

LOGGER = logging.getLogger(__name__)
LOOK_SECONDS = 1.0
KEPT_NETWORKS = 4
NOT_YET = "The first forecasts are being made; ask again in a minute."


class CurrentModels:
    """What is served now; made and used on one event loop.

    Parameters
    ----------
    networks
        The current one first.
    """

    def __init__(self, served: Served, networks: tuple[DemandNetwork, ...], batcher: Batcher) -> None:
        self._served, self._batcher, self.networks = served, batcher, networks
        self._made_of: tuple[Edition | None, tuple[DemandNetwork, ...]] | None = None
        self._models, self._troubles = dict[str, Model](), dict[str, str]()

    @property
    def is_ready(self) -> bool:
        """Whether there is an edition."""
        return self._served.current is not None

    @property
    def models(self) -> Mapping[str, Model]:
        """Name → model, as they are at this moment."""
        edition, networks = self._served.current, self.networks
        if self._made_of is None or self._made_of[0] is not edition or self._made_of[1] is not networks:
            self._make(edition, networks)
            self._made_of = edition, networks
        return self._models

    @property
    def troubles(self) -> Mapping[str, str]:
        """Name → why a model is not there, in a sentence."""
        return self._troubles

    def _make(self, edition: Edition | None, networks: tuple[DemandNetwork, ...]) -> None:
        time_zone = "UTC" if edition is None else edition.imprint.time_zone
        models: dict[str, Model] = {demand.NAME: demand.DemandModel(networks, self._batcher, time_zone)}
        self._troubles = {SHOP: NOT_YET}
        if edition is not None:
            try:
                models[SHOP] = read_shop_model(edition)
                self._troubles = {}
            except NotThere as error:
                self._troubles = {SHOP: str(error)}
        self._models = models

    def serve_networks(self, found: tuple[DemandNetwork, ...]) -> None:
        """Serve these networks first, and for some time those that were served before."""
        there = {network.version for network in found}
        kept = [network for network in self.networks if network.version not in there]
        self.networks = (*found, *kept)[:KEPT_NETWORKS]


def read_shop_model(edition: Edition) -> ShopModel:
    """Make the model `shop` of an edition.

    Raises
    ------
    NotThere
        Its forecasts could not be made.
    """
    found = edition.by_day
    place = {product.encode(): row for product, row in found.place.items()}
    return ShopModel(edition.imprint.key[:12], place, found.mean, found.quantiles)


def read_networks(home: MerchantFolder) -> tuple[DemandNetwork, ...]:
    """Read the newest released network where the shop has one that reads pieces sold alone, and the public one."""
    public = read_public()
    if not home.federation.is_file() or not home.models.is_dir():
        return (public,)
    try:
        store = Store(home.models, *read_federation(home).lineage.keys)
        return (read_released(store.newest_model()), public)
    except HansaError as error:
        LOGGER.info("%s", error)
        return (public,)


@asynccontextmanager
async def follow(home: ServedFolder, served: Served) -> AsyncIterator[CurrentModels]:
    """Give the models of a shop, and keep them current."""
    batcher, folder = Batcher(), MerchantFolder(home.shop)
    models = CurrentModels(served, await asyncio.to_thread(read_networks, folder), batcher)
    task = asyncio.create_task(_keep_current(models, served, folder))
    try:
        yield models
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await batcher.close()


async def _keep_current(models: CurrentModels, served: Served, folder: MerchantFolder) -> None:
    seen = served.current
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        if served.current is not seen:
            seen = served.current
            models.serve_networks(await asyncio.to_thread(read_networks, folder))
