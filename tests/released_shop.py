"""A small real shop that holds a federation's model: signed, kept and read by the functions that a merchant uses."""

import json
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from client.daemon.store import Model, Store
from client.folder import MerchantFolder
from client.shop.history.history import History
from client.shop.settings import read_shop
from client.shop.setup.refresh import refresh_plans
from common.message import release
from common.message.release import Release, ReleaseNote
from common.message.signature import public_bytes, sign
from common.message.vector import hash_vector
from common.model.demand_gru import get_vector
from common.model.warm.start import start_without_data
from common.plan.leg import legs_of
from common.plan.reading import read_plan
from small_shop import START, Sold, make_shop

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PLAN = """\
name = "corner shops"

[data]
path = "demand.parquet"
rows = "panel"
entity = "product"
time = "day"
target = {{ aggregate = "sum", column = "units" }}
start = {start}
end = {end}

[model]
step = "day"
horizon_days = {horizon_days}
likelihood = "negative_binomial"
hidden_size = 3
decoder_size = 4
window_steps = 12
positions = 3
season = false
anchor = {{ half_life_days = 14.0, by_weekday = true }}

[privacy]
unit = "product"
training = {{ num_rounds = 3 }}

[federation]
training = {{ num_rounds = 3 }}
rehearsal = {rehearsal}

[evaluation]
origins = [{origin}]
methods = ["anchor"]
"""
SECTION = '[[plans]]\npath = "plan.toml"\n'


def make_joined_shop(
    folder: Path, sold: Sequence[Sold], *, learned_days: int, horizon_days: int = 7, rehearsal: bool = False
) -> Path:
    """Make a shop that joined a federation, whose plan learns from so many days; it has no model yet."""
    make_shop(folder, sold, SECTION)
    origin = START + timedelta(days=learned_days)
    end = origin + timedelta(days=horizon_days - 1)
    said = {"start": START, "end": end, "origin": origin, "horizon_days": horizon_days}
    (folder / "plan.toml").write_text(PLAN.format(**said, rehearsal=str(rehearsal).lower()), encoding="utf-8")
    with History.open(folder) as history:
        refresh_plans(history, read_shop(folder), folder)
    welcome = {"federation": "corner", "name": "north", "address": "127.0.0.1:1", "authority": "", "certificate": ""}
    joined: Mapping[str, Any] = {"welcome": {**welcome, "coordinator": public_bytes(KEY).hex()}, "size_class": 32}
    MerchantFolder(folder).federation.write_text(json.dumps(joined))
    return folder


def release_to(folder: Path, factor: float, *, is_rehearsal: bool = False, key: Ed25519PrivateKey = KEY) -> Model:
    """Let a model come to the shop that multiplies the plan's anchor."""
    plan, home = read_plan(folder / "plan.toml"), MerchantFolder(folder)
    network = start_without_data(plan, private=False)
    network.output.bias.data[0] = math.log(factor)
    parameters = get_vector(network)
    leg = legs_of(plan, private=False)[0 if is_rehearsal else -1]
    note = ReleaseNote(
        plan=plan,
        private=False,
        round_number=leg.last_round,
        model_hash=hash_vector(parameters),
        num_parameters=len(parameters),
        released_at=datetime.now(UTC),
        members=(),
        software="test",
    )
    signed = sign(note.to_bytes(), key, purpose=release.PURPOSE)
    Store(home.models, public_bytes(key)).keep_model(Release(signed, parameters), note)
    return Model(note, parameters, datetime.now(UTC))


def grow(*, days: int, products: int = 20, a_day: float = 0.02) -> list[Sold]:
    """Sell more every day, by the same share: a level that is known by the past alone is always too low."""
    return [
        (f"P{product}", START + timedelta(days=day), float(round((200 + 50 * product) * math.exp(a_day * day))))
        for product in range(products)
        for day in range(days)
    ]


def day(number: int) -> date:
    """Give a day of the shop, 0 for its first."""
    return START + timedelta(days=number)
