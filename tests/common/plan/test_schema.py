import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from common.errors import ConfigError
from common.plan.reading import parse_plan, read_plan
from common.plan.schema import Plan

PLANS = sorted((Path(__file__).parents[3] / "plans").glob("*.toml"))
TEXT = """
name = "small"

[data]
path = "rows.parquet"
rows = "panel"
entity = "store"
time = "date"
target = { aggregate = "sum", column = "sales" }
known = [{ column = "promo" }, { column = "holiday", categories = ["a", "b"] }]
filters = [{ column = "sales", above = 0 }]
start = 2024-01-01
end = 2024-03-31

[data.observed]
visits = { aggregate = "sum", column = "visits" }
spend = { aggregate = "sum", column = "spend" }

[data.deal]
by = "level"
column = "spend"
merchants = 2
smallest = 1
largest = 5

[model]
step = "day"
horizon_days = 6
bucket_days = 2
likelihood = "negative_binomial"
hidden_size = 8
anchor = { half_life_days = 30.0, regime = "promo" }

[privacy]
unit = "store"
clipping_norm = 1.0

[evaluation]
origins = [2024-03-01]
methods = ["anchor"]
"""


def changed(old: str, new: str) -> str:
    assert TEXT.count(old) == 1
    return TEXT.replace(old, new)


def complaint(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        parse_plan(text)
    return str(caught.value)


@pytest.mark.parametrize("path", PLANS, ids=lambda path: path.stem)
def test_every_plan_of_the_house_reads(path: Path) -> None:
    assert read_plan(path).name == tomllib.loads(path.read_text())["name"]


def test_there_are_plans_to_read() -> None:
    assert PLANS


@pytest.mark.parametrize(
    ("old", "new", "key", "value", "legal"),
    [
        ("hidden_size = 8", "hidden_size = 0", "model.hidden_size", "0", "greater than or equal to 1"),
        ("hidden_size = 8", "hidden_size = 2000", "model.hidden_size", "2000", "less than or equal to 1024"),
        ("hidden_size = 8", 'hidden_size = "8"', "model.hidden_size", "'8'", "a valid integer"),
        ("hidden_size = 8", "hidden_size = 8.0", "model.hidden_size", "8.0", "a valid integer"),
        ("hidden_size = 8", "hidden_size = true", "model.hidden_size", "True", "a valid integer"),
        ('step = "day"', 'step = "month"', "model.step", "'month'", "'day' or 'week'"),
        ("= 30.0", "= -1.0", "model.anchor.half_life_days", "-1.0", "greater than 0"),
        ("= 30.0", "= inf", "model.anchor.half_life_days", "inf", "finite"),
        ("= 30.0", "= nan", "model.anchor.half_life_days", "nan", "finite"),
        ("above = 0", "above = -inf", "data.filters.0.above", "-inf", "finite"),
        ("clipping_norm = 1.0", "clipping_norm = 0.0", "privacy.clipping_norm", "0.0", "greater than or equal to"),
        ("clipping_norm = 1.0", "delta = 0.5", "privacy.delta", "0.5", "less than 0.01"),
        ('unit = "store"', 'unit = "shop"', "privacy.unit", "'shop'", "'customer', 'product'"),
        ("start = 2024-01-01", 'start = "1/1/2024"', "data.start", "'1/1/2024'", "2011-09-30"),
        ("start = 2024-01-01", 'start = "1704067200"', "data.start", "'1704067200'", "2011-09-30"),
        ("start = 2024-01-01", 'start = "2024-02-30"', "data.start", "'2024-02-30'", "day"),
        ("start = 2024-01-01", "start = 2024-01-01T00:00:00", "data.start", "00:00:00", "2011-09-30"),
        ("start = 2024-01-01", "start = 20240101", "data.start", "20240101", "a valid date"),
        ("origins = [2024-03-01]", 'origins = ["1704067200"]', "evaluation.origins.0", "1704067200", "2011"),
    ],
)
def test_a_bad_value_is_named_with_key_value_and_what_is_legal(
    old: str, new: str, key: str, value: str, legal: str
) -> None:
    sentence = complaint(changed(old, new))
    assert f"{key} = " in sentence
    assert value in sentence
    assert legal in sentence
    assert "\n" not in sentence


@pytest.mark.parametrize(
    ("old", "new", "key", "suggestion"),
    [
        ("hidden_size", "hiden_size", "model.hiden_size", "hidden_size"),
        ('name = "small"', 'nam = "small"', "nam", "name"),
        ("half_life_days", "half_life", "model.anchor.half_life", "half_life_days"),
        ("above = 0", "abov = 0", "data.filters.0.abov", "above"),
        ("merchants = 2", "merchant = 2", "data.deal.merchant", "merchants"),
        ('column = "visits"', 'colum = "visits"', "data.observed.visits.colum", "column"),
    ],
)
def test_an_unknown_key_is_refused_and_the_nearest_one_suggested(old: str, new: str, key: str, suggestion: str) -> None:
    assert f"unknown key {key} (did you mean {suggestion}?)" in complaint(changed(old, new))


def test_an_unknown_key_that_resembles_nothing_is_refused_without_a_guess() -> None:
    sentence = complaint(changed("hidden_size = 8", "hidden_size = 8\nxyz = 1"))
    assert sentence == "plan: unknown key model.xyz"


def test_a_missing_key_is_named() -> None:
    assert "key model.horizon_days is missing" in complaint(changed("horizon_days = 6\n", ""))


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("start = 2024-01-01", "start = 2024-03-31", "must come before end"),
        ("start = 2024-01-01", "start = 0001-01-01", "must lie within 1700 to 2200"),
        ("end = 2024-03-31", "end = 9999-12-31", "must lie within 1700 to 2200"),
        ("bucket_days = 2", "bucket_days = 4", "6 is no multiple of bucket_days 4"),
        ("hidden_size = 8", "positions = 9\nwindow_steps = 8", "positions must not exceed window_steps"),
        ("smallest = 1", "smallest = 6", "smallest must not exceed largest"),
        ("smallest = 1\n", "", "needs smallest and largest"),
        ("smallest = 1", "smallest = 1\ncharacters = 2", 'characters is for by = "group"'),
        ('by = "level"', 'by = "group"', "takes no smallest and no largest"),
        ('by = "level"\ncolumn = "spend"', 'by = "group"', "needs the column that names the groups"),
        ('entity = "store"', 'entity = "store"\nactive = { days = 9, within_days = 8 }', "must not exceed within_days"),
        ('by = "level"\ncolumn = "spend"', 'by = "level"', "needs the observed column"),
        ('by = "level"\ncolumn = "spend"', 'by = "level"\ncolumn = "x"', "none of the observed channels"),
        ('entity = "store"', 'entity = "store"\nmerchant = "state"', "not both"),
        ('path = "rows.parquet"', 'path = ""', "needs a path"),
        ('path = "rows.parquet"', 'path = "x"\nsource = "synthetic"', "takes none"),
        ('rows = "panel"', 'rows = "events"', 'known needs rows = "panel"'),
        (
            'entity = "store"',
            'entity = "store"\nmissing = "closed"\nclosed_weekdays = ["sunday"]',
            "leave out",
        ),
        (', column = "sales" }', " }", "every other aggregate needs one"),
        ('"sum", column = "sales"', '"rows", column = "sales"', "takes no column"),
        (", above = 0", "", "needs one of equals, above, at_least, filled"),
        ('regime = "promo"', 'regime = "price"', "is none of what is known ahead: promo, holiday=a, holiday=b"),
        ('regime = "promo"', 'regime = "holiday"', "is none of what is known ahead: promo, holiday=a, holiday=b"),
        ("clipping_norm = 1.0", 'training = { trained = "output" }', 'needs privacy.start = "warm"'),
        ("[2024-03-01]", "[]", "at least 1 item"),
        ("[2024-03-01]", "[2024-01-01]", "leaves no whole step after data.start"),
        ("[2024-03-01]", "[2024-03-27]", "leaves 5 days up to data.end, model.horizon_days is 6"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(old: str, new: str, sentence: str) -> None:
    assert sentence in complaint(changed(old, new))


def test_closed_gaps_are_no_setting_for_events() -> None:
    events = changed('rows = "panel"', 'rows = "events"\nmissing = "closed"')
    assert 'missing = "closed" is for rows = "panel"' in complaint(events)


def test_the_last_origin_whose_whole_horizon_is_in_the_data_is_legal() -> None:
    assert parse_plan(changed("[2024-03-01]", "[2024-03-26]")).evaluation.origins[0].day == 26


def test_one_category_of_an_attribute_may_be_the_regime() -> None:
    assert parse_plan(changed('regime = "promo"', 'regime = "holiday=b"')).model.anchor.regime == "holiday=b"


def test_the_same_plan_written_in_another_way_has_the_same_hash() -> None:
    other = changed("half_life_days = 30.0", "half_life_days = 30").replace('name = "small"', 'name="small"')
    assert parse_plan(other).hash == parse_plan("# a comment\n" + TEXT).hash


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('name = "small"', 'name = "Small"'),
        ("start = 2024-01-01", "start = 2024-01-02"),
        ("above = 0", "at_least = 0"),
        ("above = 0", "above = 0, filled = true"),
        ("above = 0", "filled = true"),
        ('column = "visits"', 'column = "visit"'),
        ("hidden_size = 8", "hidden_size = 9"),
        ("half_life_days = 30.0", "half_life_days = 30.000000001"),
        ("clipping_norm = 1.0", "clipping_norm = 1.0\ndelta = 1e-5"),
        ("origins = [2024-03-01]", "origins = [2024-03-01, 2024-03-02]"),
        ('methods = ["anchor"]', 'methods = ["anchor"]\nseeds = 2'),
    ],
)
def test_any_other_value_gives_another_hash(old: str, new: str) -> None:
    assert parse_plan(changed(old, new)).hash != parse_plan(TEXT).hash


# The order of the channels is the order of the features: the same weights would mean something else.
def test_channels_in_another_order_give_another_hash() -> None:
    first, second = (f'{name} = {{ aggregate = "sum", column = "{name}" }}' for name in ("visits", "spend"))
    assert parse_plan(changed(f"{first}\n{second}", f"{second}\n{first}")).hash != parse_plan(TEXT).hash


def test_a_run_with_noise_and_one_without_have_hashes_of_their_own() -> None:
    plan = parse_plan(TEXT)
    hashes = {plan.hash, plan.run_hash(private=True), plan.run_hash(private=False)}
    assert len(hashes) == 3
    assert all(len(value) == 64 for value in hashes)
    assert plan.training(private=True) is plan.privacy.training
    assert plan.training(private=False) is plan.federation.training


def test_a_plan_that_travelled_as_json_keeps_its_hash() -> None:
    plan = parse_plan(TEXT)
    assert Plan.model_validate_json(plan.model_dump_json()).hash == plan.hash


def test_a_plan_that_is_no_toml_is_refused() -> None:
    assert "is no TOML" in complaint("name = ")


def test_a_plan_that_is_not_there_or_no_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"Cannot read the plan .* Give the path of a TOML file"):
        read_plan(tmp_path / "none.toml")
    with pytest.raises(ConfigError, match="Cannot read the plan"):
        read_plan(tmp_path)
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="no text in UTF-8"):
        read_plan(tmp_path / "bytes.toml")


def test_a_plan_cannot_be_changed_after_reading() -> None:
    with pytest.raises(ValueError, match="frozen"):
        parse_plan(TEXT).model.hidden_size = 9  # type: ignore[misc]


def test_the_column_of_days_out_of_stock_is_hashed_only_where_it_is_named(make_plan: Callable[..., Plan]) -> None:
    target = {"aggregate": "sum", "column": "units"}
    silent, empty = make_plan(data={"target": target}), make_plan(data={"target": target, "out_of_stock": ""})
    named = make_plan(data={"target": target, "out_of_stock": "gone"})
    assert silent.hash == empty.hash != named.hash
    assert "out_of_stock" not in silent.model_dump(mode="json")["data"]
    assert named.model_dump(mode="json")["data"]["out_of_stock"] == "gone"


SUM = 'clipping_norm = 1.0\ntrust = "sum"\nsum = { threshold = 14, colluders = 6 }'


def test_trust_in_the_sum_says_who_shares_the_noise_and_changes_the_hash() -> None:
    local, shared = parse_plan(TEXT), parse_plan(changed("clipping_norm = 1.0", SUM))
    assert (local.privacy.trust, local.privacy.noise_share) == ("nobody", 1)
    assert (shared.privacy.trust, shared.privacy.noise_share) == ("sum", 8)
    assert parse_plan(changed("clipping_norm = 1.0", 'clipping_norm = 1.0\ntrust = "nobody"')).hash == local.hash
    others = [SUM.replace("14", "15"), SUM.replace("6 }", "5 }"), SUM.replace("6 }", "6, noise_multiplier = 14.0 }")]
    hashes = [local.hash, shared.hash, *(parse_plan(changed("clipping_norm = 1.0", text)).hash for text in others)]
    assert len(set(hashes)) == 5


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('trust = "sum"', 'trust = "sum" needs a section privacy.sum'),
        ("sum = { threshold = 14, colluders = 6 }", 'trust = "nobody" takes none'),
        ('trust = "sum"\nsum = { threshold = 14 }', "key privacy.sum.colluders is missing"),
        ('trust = "sum"\nsum = { colluders = 6 }', "key privacy.sum.threshold is missing"),
        ('trust = "sum"\nsum = { threshold = 6, colluders = 6 }', "colluders 6 must be below threshold 6"),
        ('trust = "sum"\nsum = { threshold = 14, colluders = 0 }', "privacy.sum.colluders = 0"),
        ('trust = "sum"\nsum = { threshold = 3, colluders = 1, noise_multiplier = 0.0 }', "sum.noise_multiplier = 0.0"),
        ('trust = "sum"\nsum = { threshold = 301, colluders = 6 }', "privacy.sum.threshold = 301"),
        ('trust = "everybody"', "privacy.trust = 'everybody'"),
        (
            'trust = "sum"\nsum = { threshold = 14, colluders = 6 }\nsum_training = { num_rounds = 9 }',
            'trust = "sum" takes no sum_training',
        ),
        ('sum_training = { trained = "output" }', 'sum_training.trained = "output" needs privacy.start = "warm"'),
    ],
)
def test_trust_is_said_whole_or_refused(text: str, said: str) -> None:
    assert said in complaint(changed("clipping_norm = 1.0", f"clipping_norm = 1.0\n{text}"))


def test_what_a_simulation_trains_with_where_the_sum_is_trusted_changes_nothing_else() -> None:
    plain = parse_plan(TEXT)
    tuned = parse_plan(changed("clipping_norm = 1.0", "clipping_norm = 1.0\nsum_training = { num_rounds = 9 }"))
    assert tuned.hash != plain.hash
    assert "sum_training" not in plain.model_dump(mode="json")["privacy"]
    assert tuned.training(private=True) == plain.training(private=True) == plain.trusting_sum().training(private=True)
    assert tuned.trusting_sum().training(private=True).num_rounds == 9
