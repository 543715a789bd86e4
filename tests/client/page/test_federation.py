"""Joining on the page: the steps, what is approved, and that nothing else of a policy changes."""

import json
import re
from pathlib import Path

import pytest

from client.account.policy import Policy, read_policy
from client.account.policy_text import with_hash
from client.account.starter import write_starter
from client.folder import MerchantFolder
from client.page.view.federation import show_federation, tell_step
from client.page.view.privacy import show_privacy
from common.plan.reading import parse_toml

KEY, OTHER = "ab" * 32, "cd" * 32


def test_a_hash_is_added_to_its_list_and_nothing_else_changes() -> None:
    before = write_starter()
    once = with_hash(before, "approval", "plans", KEY)
    twice = with_hash(once, "approval", "plans", OTHER)
    read = parse_toml(twice, Policy, origin="policy.toml")
    assert read.approval.plans == (KEY, OTHER)
    assert read.model_copy(update={"approval": parse_toml(before, Policy, origin="").approval}) == parse_toml(
        before, Policy, origin="policy.toml"
    )
    changed = [line for line in twice.splitlines() if line not in before.splitlines()]
    assert len(changed) == 1
    assert parse_toml(with_hash(before, "approval", "coordinators", KEY), Policy, origin="").approval.coordinators == (
        KEY,
    )


@pytest.mark.parametrize("text", ["", "[approval]\n", "[approval]\nplans = [\n]\nplans2 = []\n[x]\nplans = []\n"])
def test_a_policy_that_is_written_otherwise_is_left_alone(text: str) -> None:
    with pytest.raises(ValueError, match="plans"):
        with_hash(text, "approval", "plans", KEY)


def test_the_steps_follow_each_other(tmp_path: Path) -> None:
    home = MerchantFolder(tmp_path)
    assert tell_step(home) == "policy"
    home.policy.write_text(write_starter())
    assert tell_step(home) == "ask"
    home.request("north-shop").write_text("{}")
    assert tell_step(home) == "wait"
    home.federation.write_text("{}")
    assert tell_step(home) == "joined"


def test_a_policy_is_said_in_plain_words_and_a_damaged_one_is_said_too(tmp_path: Path) -> None:
    home = MerchantFolder(tmp_path)
    home.policy.write_text(write_starter())
    assert read_policy(home.policy).plan.smallest_cohort == 5
    shown = show_federation(tmp_path)
    assert shown["policy"]["sentences"][1].startswith(
        "One plan gets epsilon 1, may ask 400 rounds, and needs 5 merchants"
    )
    assert shown["left"] == {"messages": [], "trouble": ""}
    home.policy.write_text("dataset = 3")
    assert "policy.toml" in show_federation(tmp_path)["policy"]["trouble"]


def test_the_line_is_said_as_the_daemon_wrote_it(tmp_path: Path) -> None:
    home = MerchantFolder(tmp_path)
    assert show_federation(tmp_path)["line"] is None
    said = {
        "state": "connected",
        "since": "2026-11-30T10:00:00+00:00",
        "latest_round": {"plan": "p", "round_number": 3},
    }
    home.health.write_text(json.dumps(said))
    line = show_federation(tmp_path)["line"]
    assert (line["is_well"], line["plan"], line["round"]) == (True, "p", 3)
    home.health.write_text("{half")
    assert show_federation(tmp_path)["line"] is None


def test_where_nothing_was_spent_there_is_no_account_and_none_is_made(tmp_path: Path) -> None:
    assert show_privacy(tmp_path) == {"accounts": [], "trouble": ""}
    assert list(tmp_path.iterdir()) == []


def test_what_is_spent_is_shown_with_what_it_means(tmp_path: Path) -> None:
    from contextlib import closing
    from datetime import UTC, datetime

    from client.account.ledger.ledger import Ledger, create_ledger

    home = MerchantFolder(tmp_path)
    home.policy.write_text(write_starter())
    create_ledger(home.ledger)
    with closing(Ledger(home.ledger)) as ledger:
        ledger.open_account("shop", "customer", delta=1e-5, at=datetime(2026, 1, 1, tzinfo=UTC))
    (account,) = show_privacy(tmp_path)["accounts"]
    assert (account["spent"], account["budget"], account["share"]) == (0.0, 4.0, 0.0)
    assert re.search("Nothing of any one customer has left", account["meaning"])
