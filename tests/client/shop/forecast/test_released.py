"""A federation's released model among the shop's own methods: read as predict reads it, weighed honestly, said."""

import copy
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from client.explanation.explaining import explain, make_ready
from client.explanation.wording import say_made
from client.folder import MerchantFolder
from client.forecast.candidate import FEDERATED as AS_RELEASED
from client.forecast.prediction import Question as Asked
from client.forecast.prediction import predict
from client.shop.forecast.federation import NOTHING, list_read, say_unfit
from client.shop.forecast.fingerprint import name_batch
from client.shop.forecast.fit import choose_names
from client.shop.forecast.learnt import Learnt, learn_shop
from client.shop.forecast.outlook import Outlook, forecast_learnt
from client.shop.forecast.question import Question
from client.shop.forecast.released import FEDERATED
from client.shop.forecast.setting import Setting, set_up
from client.shop.forecast.wording import describe_outlook, say_outlook
from client.shop.history.history import History
from client.shop.settings import PlanSettings, read_shop
from common.errors import ConfigError
from common.plan.reading import read_plan
from released_shop import day, grow, make_joined_shop, release_to
from small_shop import draw_sales

DAYS = 66  # too few for trees, enough for three past horizons of a week
WEEK = Question(by="day", horizon="7d")
GOOD, USELESS = 1.4, 3.0  # of the plan's anchor: growth of 2 % a day makes some 1.4 of it come true


def learn(folder: Path, question: Question = WEEK) -> Learnt:
    with History.open(folder) as history:
        return learn_shop(history, read_shop(folder), question, today=day(DAYS))


def ask(folder: Path, question: Question = WEEK) -> Outlook:
    return forecast_learnt(learn(folder, question), question)


def setting_of(folder: Path, question: Question = WEEK) -> Setting:
    with History.open(folder) as history:
        return set_up(history, read_shop(folder), question, today=day(DAYS), on_step=lambda what, share: None)[0]


def why_left_out(setting: Setting) -> str:
    return choose_names("", setting)[1].get(FEDERATED, "")


def having_learned(setting: Setting, *untils: date) -> Setting:
    """Let the models of a setting have learned up to other days."""
    released = setting.found.released
    assert released is not None
    learners = tuple(replace(released.served, until=until) for until in untils)
    return replace(setting, found=replace(setting.found, released=replace(released, learners=learners)))


@pytest.fixture(scope="module")
def joined(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shop that joined; its plan learns from no day of the past horizons."""
    return make_joined_shop(tmp_path_factory.mktemp("joined") / "shop", grow(days=DAYS), learned_days=DAYS - 28)


@pytest.fixture(scope="module")
def alone(joined: Path) -> Outlook:
    return ask(joined)


@pytest.fixture(scope="module")
def good(joined: Path) -> Learnt:
    folder = joined.parent / "good"
    shutil.copytree(joined, folder)
    release_to(folder, GOOD)
    return learn(folder)


@pytest.fixture(scope="module")
def steady(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, pa.Table]:
    """A shop whose demand stays as it is, and what it forecasts alone."""
    sold = draw_sales(days=DAYS, products=5, mean=6.0)
    folder = make_joined_shop(tmp_path_factory.mktemp("steady") / "shop", sold, learned_days=DAYS - 28)
    return folder, ask(folder).table


@pytest.fixture
def shop(joined: Path, tmp_path: Path) -> Path:
    """The same, to be written into."""
    return Path(shutil.copytree(joined, tmp_path / "shop"))


def test_who_joined_and_has_no_model_is_told_nothing_of_it(alone: Outlook) -> None:
    assert alone.joined is None
    assert FEDERATED not in {**alone.weighed.weights, **alone.left_out}
    assert describe_outlook(alone)["joined"] is None


def test_a_model_that_forecasts_the_past_better_is_heard_and_moves_the_forecast(good: Learnt, alone: Outlook) -> None:
    found = forecast_learnt(good, WEEK)
    share = found.weighed.weights[FEDERATED]
    assert share > 0.5
    assert sum(found.weighed.weights.values()) == pytest.approx(1.0)
    assert found.weighed.losses[FEDERATED] < found.weighed.losses["alone"]
    truth = sum(units for _, when, units in grow(days=DAYS + 7) if when >= day(DAYS))
    with_it, without = (sum(each.table["mean"].to_pylist()) for each in (found, alone))
    assert abs(with_it - truth) < abs(without - truth), "the days have not come yet, and it is nearer to them"
    words = " ".join(say_outlook(found, time_zone="Europe/Berlin"))
    assert f"{share:.0%} the model of the federation corner" in words


def test_the_own_methods_are_weighed_against_each_other_as_before(good: Learnt, alone: Outlook) -> None:
    weights = {name: share for name, share in good.fitted.weighed.weights.items() if name != FEDERATED}
    rest = sum(weights.values())
    assert {name: share / rest for name, share in weights.items()} == pytest.approx(alone.weighed.weights)


@pytest.mark.parametrize("factor", [pytest.param(0.4, marks=pytest.mark.slow), USELESS])
def test_a_useless_model_has_no_share_and_the_forecast_is_the_same(
    steady: tuple[Path, pa.Table], factor: float
) -> None:
    folder, alone = steady
    release_to(folder, factor)
    found = ask(folder)
    assert found.weighed.weights[FEDERATED] == 0.0
    assert found.left_out[FEDERATED] == "made past forecasts no better than your own methods alone"
    assert found.table.equals(alone)


def test_it_says_what_predict_says_of_the_same_days(good: Learnt) -> None:
    folder, origin = good.setting.folder, good.setting.known.origin
    assert folder is not None
    model = release_to(folder, GOOD)
    released = good.setting.found.released
    assert released is not None
    said = released.forecast(good.setting.sales.products, [origin], 7)[0]
    told = predict(model, folder / "data", Asked(origin, AS_RELEASED, torch.device("cpu"))).table
    assert said == pytest.approx(told["mean"].to_numpy().reshape(said.shape), rel=1e-6)


def test_a_model_says_nothing_of_days_that_it_learned_from(good: Learnt) -> None:
    released = good.setting.found.released
    assert released is not None
    until = released.served.until
    said = released.forecast(("P0", "P1", "not sold"), [until - timedelta(days=1), until], 9)
    assert np.isnan(said[0]).all()
    assert np.isfinite(said[1, :2, :7]).all()
    assert np.isnan(said[1, 2]).all(), "what the plan's file does not have"
    assert np.isnan(said[1, :, 7:]).all(), "days beyond the plan's horizon"


def test_a_past_origin_sees_nothing_of_what_came_after_it(good: Learnt) -> None:
    released, origin = good.setting.found.released, day(DAYS - 14)
    assert released is not None
    later = released.panel.target.copy()
    later[:, DAYS - 14 :] *= 100
    changed = replace(released, panel=replace(released.panel, target=later))
    assert np.array_equal(*(each.forecast(("P0", "P1"), [origin], 7) for each in (released, changed)))


def test_before_a_past_day_is_honest_it_has_no_part_and_the_day_is_named(good: Learnt) -> None:
    horizon_began = day(DAYS - 7)
    honest = having_learned(good.setting, horizon_began)
    assert FEDERATED in choose_names("", honest)[0]
    knowing = having_learned(good.setting, horizon_began + timedelta(days=1))
    assert FEDERATED not in choose_names("", knowing)[0]
    assert why_left_out(knowing).endswith(f"from {day(DAYS + 1)} on it can be weighed")
    outlook = replace(forecast_learnt(good, WEEK), left_out={FEDERATED: why_left_out(knowing)}, joined=None)
    words = list(say_outlook(outlook, time_zone="Europe/Berlin"))
    assert any(line.startswith("The federation's model has no part: it has learned from the days") for line in words)


def test_past_days_are_weighed_by_a_rehearsal_where_the_newest_has_seen_them(tmp_path: Path) -> None:
    folder = make_joined_shop(tmp_path / "shop", grow(days=DAYS), learned_days=DAYS, rehearsal=True)
    served = release_to(folder, USELESS)
    rehearsed = release_to(folder, GOOD, is_rehearsal=True)
    learnt = learn(folder)
    found, released = forecast_learnt(learnt, WEEK), learnt.setting.found.released
    assert released is not None
    told = [released.learner_at(day(DAYS - back)) for back in (0, 7, 14)]
    hashes = [each and each.model_hash for each in told]
    assert hashes == [served.note.model_hash, rehearsed.note.model_hash, None]
    assert found.weighed.weights[FEDERATED] > 0.1, "by the one past horizon of three that is honest"
    assert found.joined is not None
    assert found.joined.weighed_on == ((day(DAYS - 7), day(DAYS - 1)),)


def test_a_forecast_of_past_days_is_not_made_by_a_model_that_knows_them(shop: Path) -> None:
    release_to(shop, GOOD)
    assert "has learned from days up to" in why_left_out(setting_of(shop, replace(WEEK, origin=day(DAYS - 30))))


@pytest.mark.slow
def test_days_beyond_its_horizon_are_forecast_by_the_others(shop: Path) -> None:
    release_to(shop, GOOD)
    found = ask(shop, Question(by="day", horizon="14d"))
    assert any("looks ahead to" in sentence for sentence in found.warnings)
    assert np.isfinite(np.array(found.table["mean"])).all()


def _flip(folder: Path) -> None:
    (path,) = MerchantFolder(folder).models.glob("*.safetensors")
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def _sell_more(folder: Path) -> None:
    path = folder / "data" / "demand.parquet"
    table = pq.read_table(path).to_pandas()
    table.loc[5, "units"] += 1
    table.to_parquet(path)


def _lose_file(folder: Path) -> None:
    (folder / "data" / "demand.parquet").unlink()


def _forget_plan(folder: Path) -> None:
    text = (folder / "shop.toml").read_text()
    (folder / "shop.toml").write_text(text.partition("[[plans]]")[0])


@pytest.mark.parametrize(
    ("harm", "why"),
    [
        (_flip, "cannot be used"),
        (_sell_more, "tells other sales than the history"),
        (_lose_file, "cannot be used"),
        (_forget_plan, "which shop.toml does not name; make its file with: hansa-client adapt PLAN"),
    ],
)
def test_what_cannot_be_trusted_is_left_out_and_said(shop: Path, harm: Callable[[Path], None], why: str) -> None:
    release_to(shop, GOOD)
    harm(shop)
    assert why in why_left_out(setting_of(shop))


def test_a_model_that_another_signed_is_not_served_and_the_forecast_is_made(shop: Path, alone: Outlook) -> None:
    release_to(shop, GOOD, key=Ed25519PrivateKey.from_private_bytes(bytes(32)))
    learnt = learn(shop)
    assert "cannot be used" in learnt.left_out[FEDERATED]
    assert forecast_learnt(learnt, WEEK).table.equals(alone.table)
    with pytest.raises(ConfigError, match="leave --method out"):
        choose_names(FEDERATED, learnt.setting)


def test_another_model_or_another_row_of_its_file_has_another_name(good: Learnt) -> None:
    released, batch = good.setting.found.released, good.fitted.batch
    assert released is not None
    another = replace(released, learners=(replace(released.served, model_hash="0" * 64),))
    target = released.panel.target.copy()
    target[0, 3] += 1
    row = replace(released, panel=replace(released.panel, target=target))
    names = {name_batch(replace(batch, released=each), seed=0) for each in (released, another, row, None)}
    assert len(names) == 4


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        ("horizon_days = 7", "horizon_days = 7\nbucket_days = 7"),
        ('column = "units"', 'column = "amount"'),
        ('aggregate = "sum"', 'aggregate = "mean"'),
        ('"product"', '"category"'),
    ],
)
def test_a_plan_that_forecasts_something_else_says_so(joined: Path, tmp_path: Path, was: str, becomes: str) -> None:
    text = (joined / "plan.toml").read_text()
    assert was in text
    (tmp_path / "plan.toml").write_text(text.replace(was, becomes))
    settings = PlanSettings(path="plan.toml")
    assert say_unfit(read_plan(tmp_path / "plan.toml"), settings).startswith("forecasts ")
    assert say_unfit(read_plan(joined / "plan.toml"), settings) == ""


def test_a_rehearsal_alone_is_no_model_yet_and_nothing_is_said(joined: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(joined, tmp_path / "shop"))
    release_to(folder, GOOD)
    (path,) = MerchantFolder(folder).models.glob("*.safetensors")
    path.rename(path.with_name(f"{path.stem}.rehearsal.safetensors"))
    assert setting_of(folder).found == NOTHING


def test_its_part_of_an_explanation_adds_up(good: Learnt) -> None:
    (why,) = explain(make_ready(good, good.setting.periods[0]), ("P1",))
    assert sum(why.parts.values()) == pytest.approx(why.mean, abs=1e-6)
    assert "the model of the federation corner" in say_made(why)


def test_a_released_network_is_taken_apart_by_its_own_columns(good: Learnt) -> None:
    """Its last layer hears its hidden units here, as that of a trained model does."""
    released = good.setting.found.released
    assert released is not None
    network = copy.deepcopy(released.served.network)
    torch.nn.init.normal_(network.output.weight, std=0.5, generator=torch.Generator().manual_seed(3))
    listening = replace(released, learners=(replace(released.served, network=network),))
    setting = replace(good.setting, found=replace(good.setting.found, released=listening))
    (why,) = explain(make_ready(replace(good, setting=setting), good.setting.periods[0]), ("P1",))
    own = why.methods[FEDERATED]
    assert sum(own.parts.values()) == pytest.approx(own.mean, abs=1e-6)
    assert abs(own.parts["recent"]) > 1.0, "a growing product was busier than usual"
    assert 0.0 < why.error < 0.01 * own.mean


def test_whoever_copies_a_shop_knows_what_to_copy_of_a_federation(good: Learnt, tmp_path: Path) -> None:
    folder = good.setting.folder
    assert folder is not None
    for path in list_read(folder, read_shop(folder)):
        into = tmp_path / path.relative_to(folder)
        into.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, into)
    for name in ("shop.toml", "history.duckdb"):
        shutil.copy(folder / name, tmp_path / name)
    released, copied = good.setting.found.released, setting_of(tmp_path).found.released
    assert released is not None
    assert copied is not None
    assert copied.served.model_hash == released.served.model_hash
    assert np.array_equal(copied.panel.target, released.panel.target)
