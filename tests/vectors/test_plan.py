"""Plans that were hashed, approved and signed by the first version keep their hashes."""

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import create_model

import common.plan.schema as schema
from common.errors import ConfigError
from common.plan.first_keys import FIRST_KEYS
from common.plan.reading import parse_plan, read_plan
from common.plan.schema import ModelPlan, Plan, Section

FIRST = Path(__file__).parent / "0.1"
HASHES = json.loads((FIRST / "plans" / "hashes.json").read_text())
KEYS = json.loads((FIRST / "plans" / "keys.json").read_text())


class Novelty(Section):
    """A section that the first version did not know."""

    amount: int
    kind: str = "plain"


def with_later_keys() -> type[Plan]:
    """Copy the schema, with a key more in a section, and a section more in the plan."""
    model = create_model("ModelPlan", __base__=ModelPlan, aardvark=(int, 3), zebra=(str, ""))
    return create_model("Plan", __base__=Plan, model=(model, ...), audit=(Novelty | None, None), blank=(bool, False))


def read_as(plan: type[Plan], text: str, **sections: Any) -> Plan:
    values = parse_plan(text).model_dump(mode="json")
    for name, value in sections.items():
        values[name] = {**values[name], **value} if isinstance(values.get(name), dict) else value
    return plan.model_validate_json(json.dumps(values))


@pytest.mark.parametrize("name", HASHES)
def test_a_plan_of_the_first_version_keeps_its_hash_and_those_of_its_runs(name: str) -> None:
    plan = read_plan(FIRST / "plans" / name)
    runs = {"private": plan.run_hash(private=True), "without_noise": plan.run_hash(private=False)}
    assert {"plan_hash": plan.hash, **runs} == HASHES[name]


@pytest.mark.parametrize("name", HASHES)
def test_an_optional_key_that_is_added_later_changes_no_hash(name: str) -> None:
    text = (FIRST / "plans" / name).read_text()
    assert read_as(with_later_keys(), text).hash == HASHES[name]["plan_hash"]


def test_a_later_key_is_hashed_where_it_says_something_and_only_there(vectors: Path) -> None:
    text, later = (vectors / "plans" / "vector.toml").read_text(), with_later_keys()
    first = HASHES["vector.toml"]["plan_hash"]
    assert read_as(later, text, model={"aardvark": 3}, audit=None).hash == first
    changed = [
        read_as(later, text, model={"aardvark": 4}),
        read_as(later, text, model={"zebra": "4"}),
        read_as(later, text, audit={"amount": 3}),
        read_as(later, text, audit={"amount": 4}),
        read_as(later, text, blank=True),
    ]
    assert len({plan.hash for plan in changed} | {first}) == 6
    assert read_as(later, text, audit={"amount": 3, "kind": "plain"}).hash == changed[2].hash


def test_later_keys_stand_behind_the_first_ones_in_alphabetical_order(vectors: Path) -> None:
    text = (vectors / "plans" / "vector.toml").read_text()
    plan = read_as(with_later_keys(), text, model={"zebra": "z", "aardvark": 4}, blank=True, audit={"amount": 1})
    written = plan.model_dump(mode="json")
    assert list(written)[-3:] == ["evaluation", "audit", "blank"]
    assert list(written["model"])[-3:] == ["anchor", "aardvark", "zebra"]


def test_the_keys_that_are_always_written_are_those_of_the_first_version() -> None:
    assert {name: set(keys) for name, keys in KEYS.items()} == {name: set(FIRST_KEYS[name]) for name in KEYS}


@pytest.mark.parametrize("name", KEYS)
def test_a_key_of_the_first_version_is_still_there_and_keeps_its_default(name: str) -> None:
    """With another default the same text would mean something else, and a signed plan would not notice."""
    fields = getattr(schema, name).model_fields
    for key, default in KEYS[name].items():
        now = "required" if fields[key].is_required() else fields[key].get_default(call_default_factory=True)
        assert _as_json(now) == default, f"{name}.{key}"


def test_a_plan_of_a_later_schema_is_one_sentence_and_a_misspelled_key_another(vectors: Path) -> None:
    with pytest.raises(ConfigError, match=r"toml: schema = 99: this version of hansa reads schema 1 alone; [a-z ]+$"):
        read_plan(vectors / "bad" / "plan-later-schema.toml")
    with pytest.raises(ConfigError, match=r"unknown key nome \(did you mean name\?\)"):
        read_plan(vectors / "bad" / "plan-unknown-key.toml")


def test_a_plan_may_say_that_it_is_of_schema_1(vectors: Path) -> None:
    text = (vectors / "plans" / "vector.toml").read_text()
    assert parse_plan("schema = 1\n" + text).hash == HASHES["vector.toml"]["plan_hash"]


def _as_json(value: Any) -> Any:
    written = value.model_dump(mode="json") if isinstance(value, Section) else value
    return json.loads(json.dumps(written))
