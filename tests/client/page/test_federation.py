"""Joining on the page: the steps, what is approved, and that nothing else of a policy changes."""

import json
import re
from contextlib import closing
from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from client.account.ledger.entry import Spend
from client.account.ledger.ledger import Ledger, create_ledger
from client.account.policy import Policy, read_policy
from client.account.policy_text import with_hash
from client.account.starter import write_starter
from client.folder import MerchantFolder
from client.page.view.federation import show_federation, tell_step
from client.page.view.privacy import show_privacy
from common.plan.reading import parse_toml

UTC_ZONE = ZoneInfo("UTC")
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
    shown = show_federation(tmp_path, "another", UTC_ZONE)
    assert shown["policy"]["sentences"][1].startswith(
        "One plan gets epsilon 1, may ask 400 rounds, and needs 5 merchants"
    )
    assert shown["left"] == {"messages": [], "trouble": ""}
    home.policy.write_text("dataset = 3")
    assert "policy.toml" in show_federation(tmp_path, "another", UTC_ZONE)["policy"]["trouble"]


def test_the_line_is_said_as_the_daemon_wrote_it(tmp_path: Path) -> None:
    home = MerchantFolder(tmp_path)
    assert show_federation(tmp_path, "another", UTC_ZONE)["line"] is None
    said = {
        "state": "connected",
        "since": "2026-11-30T10:00:00+00:00",
        "latest_round": {"plan": "p", "round_number": 3},
    }
    home.health.write_text(json.dumps(said))
    line = show_federation(tmp_path, "another", UTC_ZONE)["line"]
    assert (line["is_well"], line["plan"], line["round"]) == (True, "p", 3)
    assert line["error"] == ""
    troubled = {**said, "latest_error": "There is no policy.", "latest_error_at": "2026-11-30T10:05:00+00:00"}
    for answered, error in (("2026-11-30T10:05:00+00:00", "There is no policy."), ("2026-11-30T10:05:01+00:00", "")):
        home.health.write_text(json.dumps({**troubled, "latest_message_at": answered}))
        assert show_federation(tmp_path, "another", UTC_ZONE)["line"]["error"] == error
    home.health.write_text("{half")
    assert show_federation(tmp_path, "another", UTC_ZONE)["line"] is None


def test_where_nothing_was_spent_there_is_no_account_and_none_is_made(tmp_path: Path) -> None:
    assert show_privacy(tmp_path, UTC_ZONE) == {"accounts": [], "trouble": ""}
    assert list(tmp_path.iterdir()) == []


def test_what_is_spent_is_shown_with_what_it_means(tmp_path: Path) -> None:
    home = MerchantFolder(tmp_path)
    home.policy.write_text(write_starter())
    create_ledger(home.ledger)
    with closing(Ledger(home.ledger)) as ledger:
        ledger.open_account("shop", "customer", delta=1e-5, at=datetime(2026, 1, 1, tzinfo=UTC))
    (account,) = show_privacy(tmp_path, UTC_ZONE)["accounts"]
    assert (account["spent"], account["budget"], account["share"]) == (0.0, 4.0, 0.0)
    assert re.search("Nothing of any one customer has left", account["meaning"])


def test_days_are_those_of_the_shop_s_clock_wherever_the_machine_stands(tmp_path: Path) -> None:
    late = datetime(2026, 11, 30, 20, 0, tzinfo=UTC)
    home, zone = MerchantFolder(tmp_path), ZoneInfo("Asia/Shanghai")
    home.health.write_text(json.dumps({"state": "connected", "since": late.isoformat()}))
    said = {"schema": 1, "at": late.isoformat(), "kind": "refusal", "answers": "query.proposal", "content": "ZA=="}
    home.sent.write_text(json.dumps(said) + "\n")
    shown = show_federation(tmp_path, "us", zone)
    (left,) = shown["left"]["messages"]
    assert (left.at.date(), shown["line"]["since"].date()) == (date(2026, 12, 1), date(2026, 12, 1))
    assert show_federation(tmp_path, "nobody", zone)["line"] is None  # what a daemon that is gone wrote is no line


def test_what_was_spent_is_of_the_shop_s_day_too(tmp_path: Path) -> None:
    home = MerchantFolder(tmp_path)
    home.policy.write_text(write_starter())
    create_ledger(home.ledger)
    spend = Spend(
        at=datetime(2026, 11, 30, 20, 0, tzinfo=UTC), dataset="shop", unit="customer", units_per_customer=None,
        coordinator=KEY, plan="p", plan_hash=OTHER, round_number=1, model_hash=KEY, clipping_norm=1.0,
        noise_multiplier=20.0, num_coordinates=10,
    )  # fmt: skip
    with closing(Ledger(home.ledger)) as ledger:
        ledger.open_account("shop", "customer", delta=1e-5, at=datetime(2026, 1, 1, tzinfo=UTC))
        ledger.reserve(spend, read_policy(home.policy).budgets)
    for zone, day in (("Asia/Shanghai", date(2026, 12, 1)), ("America/New_York", date(2026, 11, 30))):
        (account,) = show_privacy(tmp_path, ZoneInfo(zone))["accounts"]
        assert account["points"][-1]["day"] == day
