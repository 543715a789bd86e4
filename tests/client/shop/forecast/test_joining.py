"""A young shop that joins old ones hears of their model what it cannot know by itself: what an offer does."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from client.daemon.store import Store
from client.folder import MerchantFolder
from client.shop.forecast.outlook import Outlook, forecast_shop
from client.shop.forecast.question import Question
from client.shop.forecast.released import FEDERATED
from client.shop.history.history import History
from client.shop.settings import read_shop
from client.shop.setup.refresh import refresh_plans
from common.message import release
from common.message.release import Release, ReleaseNote
from common.message.signature import public_bytes, sign
from common.message.vector import hash_vector
from common.plan.reading import parse_plan
from network.federation import run_in_process
from released_shop import KEY, day, make_joined_shop
from shop_records import make_records
from small_shop import Sold

AHEAD, LEARNED, DAYS, YOUNG = 7, 300, 322, 60
PRODUCTS, OFFER = 12, 4.0  # an offer sells so many times as much
LEARNING = {
    'time = "day"\n': 'time = "day"\nknown = [{ column = "promotion" }]\n',
    "hidden_size = 3": "hidden_size = 8",
    "decoder_size = 4": "decoder_size = 8",
    "window_steps = 12": "window_steps = 30",
    "num_rounds = 3": "num_rounds = 60, learning_rate = 0.02, ema = 0.5",
}


def offers(seed: int, until: int) -> np.ndarray:
    """Draw the days on which everything is on offer; they are told ahead."""
    return np.random.default_rng(seed).random(until) < 0.15


def make_shop_of(folder: Path, *, seed: int, first: int, on_offer: np.ndarray) -> Path:
    """Draw a shop's sales from its first day on, and have it join."""
    generator = np.random.default_rng(100 + seed)
    sold: list[Sold] = []
    for product in range(PRODUCTS):
        mean = (3.0 + product / 2) * np.where(on_offer[:DAYS], OFFER, 1.0)
        units = generator.poisson(mean)
        sold += [(f"S{seed}P{product}", day(each), float(units[each])) for each in range(first, DAYS) if units[each]]
    make_joined_shop(folder, sold, learned_days=LEARNED)
    told = [
        {"first_day": day(int(each)), "last_day": day(int(each)), "product": "", "category": "", "name": "offer"}
        for each in np.flatnonzero(on_offer)
    ]
    with History.open(folder).begin("offers") as importing:
        importing.append("promotions", make_records("promotions", *told))
        importing.finish()
    text = (folder / "plan.toml").read_text()
    for was, becomes in LEARNING.items():
        assert was in text
        text = text.replace(was, becomes)
    (folder / "plan.toml").write_text(text)
    with History.open(folder) as history:
        refresh_plans(history, read_shop(folder), folder)
    return folder


def ask(folder: Path) -> Outlook:
    question = Question(by="day", horizon=f"{AHEAD}d")
    with History.open(folder) as history:
        return forecast_shop(history, read_shop(folder), question, today=day(DAYS))


@pytest.mark.slow
def test_a_young_shop_hears_what_old_ones_know_of_offers(tmp_path: Path) -> None:
    until = DAYS + AHEAD
    for seed in (1, 2):
        make_shop_of(tmp_path / f"old-{seed}", seed=seed, first=0, on_offer=offers(seed, until))
    on_offer = offers(3, until)
    young = make_shop_of(tmp_path / "young", seed=3, first=DAYS - YOUNG, on_offer=on_offer)
    alone = ask(young)
    text = (young / "plan.toml").read_text()
    parameters = run_in_process(tmp_path, ["old-1/data", "old-2/data"], text)
    plan, home = parse_plan(text), MerchantFolder(young)
    note = ReleaseNote(
        plan=plan,
        private=False,
        round_number=plan.federation.training.num_rounds,
        model_hash=hash_vector(parameters),
        num_parameters=len(parameters),
        released_at=datetime.now(UTC),
        members=(),
        software="test",
    )
    signed = sign(note.to_bytes(), KEY, purpose=release.PURPOSE)
    Store(home.models, public_bytes(KEY)).keep_model(Release(signed, parameters), note)
    joined = ask(young)
    assert joined.weighed.weights[FEDERATED] > 1 / 8, "more than the share that it began with"
    truth = (3.0 + np.arange(PRODUCTS) / 2)[:, None] * np.where(on_offer[DAYS:], OFFER, 1.0)
    error = {name: _error(outlook, truth) for name, outlook in (("alone", alone), ("joined", joined))}
    assert error["joined"] < error["alone"]


def _error(outlook: Outlook, truth: np.ndarray) -> float:
    """Give the mean absolute error of the means of the days ahead against the law that they are drawn from."""
    rows = {(row["product"], row["first"]): row["mean"] for row in outlook.table.to_pylist()}
    days = [outlook.origin + timedelta(days=each) for each in range(AHEAD)]
    said = np.array([[rows[f"S3P{product}", each] for each in days] for product in range(PRODUCTS)])
    return float(np.abs(said - truth).mean())
