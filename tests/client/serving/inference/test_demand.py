"""The model `demand`: the command's own numbers, and the same ones in whatever company."""

import asyncio
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest

from client.serving.inference.batching import MOST_WAITING, Batcher
from client.serving.inference.demand.model import Batch, DemandModel
from client.serving.inference.demand.network import DemandNetwork, read_public
from client.serving.inference.exchange import Asked
from client.serving.inference.fault import InferenceFault, Kind
from client.serving.inference.tensor import Tensor
from client.shop.forecast.candidate import forecast_means, learn
from client.shop.forecast.question import Question
from client.shop.forecast.setting import set_up
from client.shop.history.history import History
from client.shop.settings import read_shop
from small_shop import START, draw_sales, make_shop

DAY = date(2026, 11, 1)


def draw_units(rows: int, days: int, seed: int = 0) -> np.ndarray:
    """Draw histories of many sizes, with days that are not known, days without a sale, and one that never sold."""
    generator = np.random.default_rng(seed)
    units = generator.poisson(generator.gamma(0.5, 8.0, (rows, 1)), (rows, days)).astype(np.float64)
    units[generator.random(units.shape) < 0.1] = np.nan
    return units


def ask(units: np.ndarray) -> Asked:
    day = Tensor("last_day", "BYTES", np.array([str(DAY).encode()], object))
    return Asked("demand", "", {"units": Tensor("units", "FP64", units), "last_day": day})


def same(one: tuple[Tensor, ...], other: tuple[Tensor, ...]) -> bool:
    return all(np.array_equal(a.values, b.values, equal_nan=True) for a, b in zip(one, other, strict=True))


def test_a_history_is_forecast_as_the_commands_forecast_it(tmp_path: Path, network: DemandNetwork) -> None:
    folder, days = make_shop(tmp_path / "shop", draw_sales(days=150, mean=4.0)), 150
    history, shop = History.open(folder), read_shop(folder)
    setting, _ = set_up(
        history, shop, Question(horizon="28d"), today=START + timedelta(days=days), on_step=lambda what, share: None
    )
    batch = setting.batch(np.arange(5))
    said = forecast_means(batch, learn(batch, ("warm",), seed=0, on_step=lambda share: None), ("warm",))["warm"][-1]
    past = setting.days.origin
    units = np.where(batch.panel.open[:, :past], batch.panel.target[:, :past], np.nan)
    ours = network.forecast(units, setting.days.start + timedelta(days=past - 1)).mean
    is_open = batch.panel.open[:, past:]
    np.testing.assert_allclose(ours[is_open], said[is_open], rtol=2e-5)


@pytest.mark.parametrize("days", [40, 365])
def test_an_answer_is_the_same_to_the_bit_in_whatever_company(network: DemandNetwork, days: int) -> None:
    histories = [draw_units(rows, days, seed) for seed, rows in enumerate((1, 3, 1, 2, 9, 1, 33, 1))]

    async def run() -> None:
        batcher = Batcher()
        model = DemandModel((network,), batcher)
        alone = [await model.answer(ask(units), network.version) for units in histories]
        before = batcher.batches
        together = await asyncio.gather(*(model.answer(ask(units), network.version) for units in reversed(histories)))
        assert batcher.batches - before < len(histories)
        assert all(same(one, other) for one, other in zip(alone, reversed(together), strict=True))
        await batcher.close()

    asyncio.run(run())


def test_other_days_other_lengths_and_other_versions_are_other_batches(network: DemandNetwork) -> None:
    other = read_public()
    kinds = {Batch(network, 40, DAY), Batch(network, 41, DAY), Batch(network, 40, date(2026, 11, 2))}
    assert len({*kinds, Batch(other, 40, DAY), Batch(network, 40, DAY)}) == 4


class Slow:
    """Work that lasts until it is told to end, for the bounds of the queue."""

    most_rows = 2

    def __init__(self) -> None:
        self.batches = list[list[int]]()

    def work_out(self, pieces: list[int]) -> list[int]:
        self.batches.append(list(pieces))
        if -1 in pieces:
            raise ValueError("broken")
        return [piece * 2 for piece in pieces]


def test_a_batch_takes_what_fits_and_a_fault_in_one_costs_no_other_batch() -> None:
    async def run() -> list[object]:
        batcher, work = Batcher(), Slow()
        asked = [batcher.work_out(work, piece, rows=1) for piece in (1, 2, 3, -1, 4)]
        answers = await asyncio.gather(*asked, return_exceptions=True)
        assert work.batches == [[1, 2], [3, -1], [4]]
        await batcher.close()
        return answers

    first, second, third, fourth, fifth = asyncio.run(run())
    assert (first, second, fifth) == (2, 4, 8)
    assert isinstance(third, ValueError)
    assert isinstance(fourth, ValueError)


def test_too_many_that_wait_are_refused_and_who_has_gone_is_not_worked_for() -> None:
    async def run() -> None:
        batcher, work = Batcher(), Slow()
        waiting = [asyncio.create_task(batcher.work_out(work, piece, rows=1)) for piece in range(MOST_WAITING)]
        await asyncio.sleep(0)
        with pytest.raises(InferenceFault) as refused:
            await batcher.work_out(work, 0, rows=1)
        assert refused.value.kind is Kind.BUSY
        for task in waiting[1:]:
            task.cancel()
        assert await waiting[0] == 0
        await asyncio.gather(*waiting, return_exceptions=True)
        assert sum(map(len, work.batches)) == 1
        await batcher.close()

    asyncio.run(run())


def test_who_waits_when_the_server_stops_is_told() -> None:
    async def run() -> None:
        batcher, work = Batcher(), Slow()
        waiting = asyncio.create_task(batcher.work_out(work, 1, rows=1))
        await asyncio.sleep(0)
        await batcher.close()
        with pytest.raises(InferenceFault, match="stops"):
            await waiting

    asyncio.run(run())


def test_a_row_that_never_sold_is_forecast_nothing_and_one_of_which_nothing_is_known_not_at_all(
    network: DemandNetwork,
) -> None:
    units = np.zeros((2, 40))
    units[1] = np.nan
    ((mean, quantiles),) = Batch(network, 40, DAY).work_out([units])
    assert (mean[0] == 0).all()
    assert (quantiles[0] == 0).all()
    assert np.isnan(mean[1]).all()
    assert np.isnan(quantiles[1]).all()
