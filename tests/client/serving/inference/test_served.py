"""The inference protocol of a shop that is served: guarded, the same numbers as the API's, and current."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import grpc
import httpx
import numpy as np
import pyarrow as pa
import pytest
import tritonclient.grpc
import tritonclient.http
from tritonclient.utils import InferenceServerException

from client.folder import MerchantFolder
from client.serving.edition.edition import Edition, Imprint
from client.serving.edition.part import Part
from client.serving.inference.batching import Batcher
from client.serving.inference.current import CurrentModels, read_networks
from client.serving.inference.demand.network import DemandNetwork
from client.serving.inference.exchange import Asked
from client.serving.inference.fault import InferenceFault, Kind
from client.serving.inference.repository import Repository
from client.serving.inference.rest.application import STATUS
from client.serving.inference.rpc.service import CODE
from client.serving.inference.tensor import Tensor
from client.serving.process.served import Served
from common.forecast.table import QUANTILES
from served_shop import Serving


def product(kind: Any, name: str) -> Any:
    given = kind.InferInput("product", [1], "BYTES")
    given.set_data_from_numpy(np.array([name.encode()], object))
    return given


def test_products_are_forecast_as_the_api_says_over_both_ways_in(served: Serving) -> None:
    said = served.ask("/api/v1/forecasts?product=P1").json()["products"][0]["periods"]
    headers = {"authorization": f"Bearer {served.token}"}
    for kind, address in (
        (tritonclient.http, served.address.removeprefix("http://")),
        (tritonclient.grpc, served.grpc),
    ):
        client = kind.InferenceServerClient(address)
        assert client.is_server_ready(headers=dict(headers))
        found = client.infer("shop", [product(kind, "P1")], headers=dict(headers))
        np.testing.assert_array_equal(found.as_numpy("mean")[0], [period["mean"] for period in said])
        np.testing.assert_array_equal(found.as_numpy("quantiles")[0, :, 0], [period["q10"] for period in said])
        client.close()


def test_without_the_token_both_ways_in_are_shut_and_say_so_as_triton_reads_it(served: Serving) -> None:
    client = tritonclient.http.InferenceServerClient(served.address.removeprefix("http://"))
    assert not client.is_server_live()
    with pytest.raises(InferenceServerException) as refused:
        client.infer("shop", [product(tritonclient.http, "P1")])
    assert refused.value.status() == "401"
    assert isinstance(refused.value.message(), str)
    client.close()
    client = tritonclient.grpc.InferenceServerClient(served.grpc)
    with pytest.raises(InferenceServerException, match="token"):
        client.is_server_live()
    client.close()


def test_what_is_sent_may_be_larger_than_elsewhere_and_is_bounded_all_the_same(served: Serving) -> None:
    with served.client as client:
        for size, status in ((2 << 20, 400), (17 << 20, 413)):
            try:
                found = client.post("/v2/models/shop/infer", content=b" " * size)
            except httpx.WriteError:
                continue  # refused, and the connection ended, before all was sent
            assert (found.status_code, type(found.json()["error"])) == (status, str)
        assert client.get("/v2/models/shop/config").json()["error"].startswith("There is no GET")
        assert 'route="/v2/models/{model}/infer"' in client.get("/metrics").text


def make_edition(imprint: Imprint, number: int) -> Edition:
    """Make an edition that says its number wherever it is asked."""
    periods = 28
    rows = {"product": ["A"] * periods, "name": ["A"] * periods, "state": ["old"] * periods}
    rows |= {"period": [str(day) for day in range(periods)], "first": [imprint.day] * periods}
    rows |= {"last": [imprint.day] * periods, "open_days": [1] * periods, "partial": [False] * periods}
    numbers = dict.fromkeys(("mean", *QUANTILES, "probability", "without"), [float(number)] * periods)
    about = {"periods": [{}] * periods}
    own = imprint.model_copy(update={"key": f"{number:064d}"[::-1], "name": str(number)})
    return Edition(own, {"day": Part(about, pa.table(rows | numbers))})


@pytest.fixture
def imprint() -> Imprint:
    now = datetime.now(UTC)
    return Imprint(
        name="1",
        key="0" * 64,
        made=now,
        day=now.date(),
        shop="s",
        currency="EUR",
        time_zone="UTC",
        parts=(),
        troubles={},
    )


def ask(model: str, **inputs: Tensor) -> Asked:
    return Asked(model, "", inputs)


def test_an_answer_is_of_one_edition_whole_whatever_is_swapped_meanwhile(
    imprint: Imprint, network: DemandNetwork
) -> None:
    async def run() -> set[str]:
        served, batcher = Served(), Batcher()
        repository = Repository(CurrentModels(served, (network,), batcher))
        asked = ask("shop", product=Tensor("product", "BYTES", np.array([b"A"] * 5, object)))
        with pytest.raises(InferenceFault, match="being made") as early:
            await repository.answer(asked)
        assert early.value.kind is Kind.NOT_READY
        assert not repository.is_ready
        versions = set[str]()

        async def swap() -> None:
            for number in range(50):
                served.swap(make_edition(imprint, number))
                await asyncio.sleep(0)

        async def read() -> None:
            for _ in range(200):
                if served.current is not None:
                    answer = await repository.answer(asked)
                    values = {float(value) for output in answer.outputs for value in output.values.ravel()}
                    assert len(values) == 1
                    assert answer.version == f"{int(values.pop()):064d}"[::-1][:12]
                    versions.add(answer.version)
                await asyncio.sleep(0)

        await asyncio.gather(swap(), *(read() for _ in range(5)))
        await batcher.close()
        return versions

    assert len(asyncio.run(run())) > 20


def test_a_part_that_could_not_be_made_is_a_model_that_is_not_ready_and_says_why(
    imprint: Imprint, network: DemandNetwork
) -> None:
    why = "Nothing was ever sold in this shop's history; bring sales first: hansa-client import."
    served = Served()
    served.swap(Edition(imprint.model_copy(update={"troubles": {"day": why}}), {}))
    repository = Repository(CurrentModels(served, (network,), Batcher()))
    with pytest.raises(InferenceFault, match="bring sales first"):
        repository.find("shop")
    assert repository.find("demand")[1] == network.version


def test_a_network_that_is_swapped_in_serves_from_then_on_and_the_older_one_by_its_name(
    network: DemandNetwork,
) -> None:
    other = replace(network, version="other")

    async def run() -> None:
        batcher = Batcher()
        models = CurrentModels(Served(), (network,), batcher)
        repository = Repository(models)
        units = Tensor("units", "FP64", np.random.default_rng(0).poisson(3.0, (1, 30)).astype(np.float64))
        running = [asyncio.create_task(repository.answer(ask("demand", units=units))) for _ in range(8)]
        await asyncio.sleep(0)
        models.serve_networks((other,))
        after = await repository.answer(ask("demand", units=units))
        before = await asyncio.gather(*running)
        assert {answer.version for answer in before} == {network.version}
        assert after.version == "other"
        pinned = await repository.answer(replace(ask("demand", units=units), version=network.version))
        assert pinned.version == network.version
        assert repository.describe("demand").versions == ("other", network.version)
        await batcher.close()

    asyncio.run(run())


def test_a_shop_of_no_federation_is_served_by_the_public_network(tmp_path: Path, network: DemandNetwork) -> None:
    (found,) = read_networks(MerchantFolder(tmp_path))
    assert (found.version, found.source) == (network.version, "public")


def test_grpc_and_rest_agree_on_what_a_fault_is() -> None:
    assert set(STATUS) == set(CODE) == set(Kind)
    assert CODE[Kind.BUSY] is grpc.StatusCode.UNAVAILABLE  # which clients may ask again
