"""Both protocols over real ports of this machine, served from a loop of its own."""

import asyncio
import threading
from collections.abc import Iterator

import pytest
import uvicorn

from client.serving.inference.batching import Batcher
from client.serving.inference.demand.model import DemandModel
from client.serving.inference.demand.network import DemandNetwork, read_public
from client.serving.inference.repository import Fixed, Repository
from client.serving.inference.rest.application import Inference
from client.serving.inference.rpc.server import start_grpc
from common.http.listening import listen
from inference_serving import Serving, make_shop_model


@pytest.fixture(scope="session")
def network() -> DemandNetwork:
    return read_public()


@pytest.fixture(scope="session")
def serving(network: DemandNetwork) -> Iterator[Serving]:
    shop, batcher, started = make_shop_model(), Batcher(), threading.Event()
    repository = Repository(Fixed({"shop": shop, "demand": DemandModel((network,), batcher)}))
    sockets, ports = listen("127.0.0.1", 0), list[int]()
    config = uvicorn.Config(Inference(repository), lifespan="off", http="httptools", ws="none", log_level="error")
    server, loop = uvicorn.Server(config), asyncio.new_event_loop()

    async def serve() -> None:
        rpc, port = await start_grpc(repository, "127.0.0.1:0")
        ports.append(port)
        started.set()
        await server.serve(sockets)
        await rpc.stop(0)
        await batcher.close()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    assert started.wait(30)
    yield Serving(f"127.0.0.1:{sockets[0].getsockname()[1]}", f"127.0.0.1:{ports[0]}", shop, network)
    server.should_exit = True
    thread.join(20)
    loop.close()
    for socket in sockets:
        socket.close()
    assert not thread.is_alive()
