import json
import re
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import click
import pytest
import torch
import typer

from client import cli
from client.account.ledger.entry import Spend
from client.account.ledger.ledger import Ledger
from client.account.policy import read_policy
from common.message.round import RoundReply, encode_reply
from common.message.wire import to_wire
from common.privacy.accounting import mu_of

PLAN_HASH = "a" * 64
PAGE = Path(__file__).parents[2] / "docs" / "hansa-client.md"


@dataclass(frozen=True)
class Finished:
    code: int
    stdout: str
    stderr: str

    @property
    def json(self) -> Any:
        return json.loads(self.stdout)


@pytest.fixture
def hansa_client(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Callable[..., Finished]:
    """Run the command line in this process and in the merchant's folder: the `main` that the script calls."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object) -> Finished:
        monkeypatch.setattr(sys, "argv", ["hansa-client", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as stop:
            cli.main()
        said = capsys.readouterr()
        return Finished(int(stop.value.code or 0), said.out, said.err)

    return run


@pytest.fixture
def shop(hansa_client: Callable[..., Finished], tmp_path: Path) -> Path:
    """Write the starter policy and open its account."""
    assert hansa_client("policy", "--out", "policy.toml").code == 0
    assert hansa_client("ledger", "open").code == 0
    return tmp_path


def spend_rounds(
    shop: Path, make_spend: Callable[..., Spend], *, rounds: int = 3, sigma: float = 20.0, **other: Any
) -> None:
    """Charge rounds to the shop, one a day since yesterday a week ago, and seal a message for each."""
    policy = read_policy(shop / "policy.toml")
    with closing(Ledger(shop / "ledger.sqlite")) as ledger:
        for number in range(1, rounds + 1):
            at = datetime.now(UTC) - timedelta(days=8 - number)
            spend = make_spend(round_number=number, noise_multiplier=sigma, num_coordinates=3, at=at, **other)
            line = ledger.reserve(spend, policy.budgets, allow_without_noise=True)
            reply = RoundReply(spend.plan_hash, number, torch.tensor([5 * 2**24, -(2**24), number]))
            ledger.seal(line, to_wire(encode_reply(reply)), at=at)


def commands_of(command: click.Command, name: str = "hansa-client") -> Iterator[tuple[str, click.Command]]:
    if isinstance(command, click.Group):
        for word, inner in command.commands.items():
            yield from commands_of(inner, f"{name} {word}")
    else:
        yield name, command


COMMANDS = dict(commands_of(typer.main.get_command(cli.app)))


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_option_has_its_place_in_the_documentation(name: str) -> None:
    sections = {part.split("\n")[0].split(" [")[0].strip(): part for part in PAGE.read_text().split("\n## ")[1:]}
    matching = [part for title, part in sections.items() if re.fullmatch(rf"{name}( [A-Z]+)?", title)]
    assert len(matching) == 1, f"{PAGE} has no section '## {name}'"
    for parameter in COMMANDS[name].params:
        words = [*parameter.opts, parameter.metavar or parameter.human_readable_name]
        shown = next(word for word in words if word.startswith("--") or word.isupper())
        assert f"`{shown}" in matching[0], f"{shown} is missing in the section '{name}' of {PAGE}"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_can_print_json(name: str) -> None:
    assert "--json" in {option for parameter in COMMANDS[name].params for option in parameter.opts}


def test_the_page_documents_no_command_that_does_not_exist() -> None:
    titles = re.findall(r"^## (hansa-client[a-z ]*?)(?: \[?[A-Z]+\]?)?$", PAGE.read_text(), re.MULTILINE)
    assert set(titles) == set(COMMANDS)


def test_a_merchant_starts_with_nothing_allowed_and_nothing_spent(hansa_client, tmp_path: Path) -> None:
    missing = hansa_client("ledger", "show")
    assert (missing.code, missing.stdout) == (2, "")
    assert "nothing may be trained" in missing.stderr
    assert hansa_client("policy", "--out", "policy.toml").code == 0
    assert "There is no ledger" in hansa_client("ledger", "show").stderr
    assert "Opened the account of shop per customer" in hansa_client("ledger", "open").stdout
    assert "open already" in hansa_client("ledger", "open").stdout
    shown = hansa_client("ledger", "show", "--json").json
    assert [account["epsilon"] for account in shown["accounts"]] == [0.0]
    assert hansa_client("tap").stdout == "Nothing has left.\n"
    assert hansa_client("card").code == 2


def test_a_policy_that_is_there_is_never_overwritten(shop: Path, hansa_client) -> None:
    again = hansa_client("policy", "--out", "policy.toml")
    assert (again.code, again.stderr) == (2, "hansa-client: policy.toml exists already; choose another --out.\n")
    assert hansa_client("policy").stdout == hansa_client("policy", "--json").json["policy"]


def test_show_draws_the_budget_over_time(shop: Path, hansa_client, make_spend) -> None:
    spend_rounds(shop, make_spend)
    shown = hansa_client("ledger", "show", "--out", "budget.svg")
    assert "epsilon of 4 per customer" in shown.stdout
    assert "█" in shown.stdout
    picture = (shop / "budget.svg").read_text()
    assert ElementTree.fromstring(picture).tag.endswith("svg")  # noqa: S314
    assert picture.count(" V") >= 3
    (account,) = hansa_client("ledger", "show", "--json").json["accounts"]
    assert account["mu"] == pytest.approx((3 / 400) ** 0.5)
    assert [point["epsilon"] for point in account["curve"]] == sorted(point["epsilon"] for point in account["curve"])


def test_forecast_says_how_many_more_rounds_and_plans_there_are(shop: Path, hansa_client, make_spend) -> None:
    spend_rounds(shop, make_spend)
    said = hansa_client("ledger", "forecast", "--json").json
    assert said["rounds_for_life"] == int((mu_of(4.0, 1e-5) ** 2 - 3 / 400) * 400)
    assert said["rounds_in_period"] == int((mu_of(2.0, 1e-5) ** 2 - 3 / 400) * 400)
    assert said["plans_in_period"] == int((mu_of(2.0, 1e-5) ** 2 - 3 / 400) / mu_of(1.0, 1e-5) ** 2)
    louder = hansa_client("ledger", "forecast", "--noise-multiplier", 40.0, "--json").json
    assert louder["rounds_for_life"] == pytest.approx(4 * said["rounds_for_life"], abs=4)
    assert "fit into life" in hansa_client("ledger", "forecast").stdout


def test_what_is_forecast_is_what_the_ledger_grants(shop: Path, hansa_client, make_spend) -> None:
    spend_rounds(shop, make_spend, rounds=1, sigma=4.0)
    left = hansa_client("ledger", "forecast", "--json").json["rounds_in_period"]
    spend_rounds(shop, make_spend, rounds=left, sigma=4.0, plan_hash="d" * 64)
    assert hansa_client("ledger", "forecast", "--json").json["rounds_in_period"] == 0


def test_verify_ends_with_one_where_the_ledger_is_not_as_it_was_written(shop: Path, hansa_client, make_spend) -> None:
    spend_rounds(shop, make_spend)
    good = hansa_client("ledger", "verify", "--json")
    assert (good.code, good.json["true"]) == (0, True)
    assert hansa_client("ledger", "verify", "--head", good.json["head"]).code == 0
    assert hansa_client("ledger", "verify", "--head", "0" * 63 + "1").code == 1
    with closing(sqlite3.connect(shop / "ledger.sqlite", isolation_level=None)) as connection:
        connection.execute("DROP TRIGGER entry_stays")
        connection.execute("UPDATE entry SET line = replace(line, '20.0', '90.0') WHERE number = 2")
    bad = hansa_client("ledger", "verify", "--json")
    assert (bad.code, bad.json["true"]) == (1, False)
    assert "Line 2" in bad.json["reason"]


def test_every_command_that_opens_the_ledger_misses_what_it_lost(
    shop: Path, hansa_client, make_spend, monkeypatch: pytest.MonkeyPatch
) -> None:
    spend_rounds(shop, make_spend, rounds=1)
    older = (shop / "ledger.sqlite").read_bytes()
    spend_rounds(shop, make_spend, rounds=2)
    assert hansa_client("card", "--out", "card.html").code == 0
    newest = (shop / "ledger.sqlite").read_bytes()
    (shop / "ledger.sqlite").write_bytes(older)
    plan = Path(__file__).parents[2] / "plans" / "online-retail-customers.toml"
    for words in (
        ("ledger", "show"),
        ("ledger", "open"),
        ("ledger", "forecast"),
        ("ledger", "export"),
        ("ledger", "witness"),
        ("tap",),
        ("card",),
        ("consider", plan, "--coordinator", "c" * 64, "--cohort", 20),
    ):
        finished = hansa_client(*words)
        assert (finished.code, finished.stdout) == (2, ""), words
        assert finished.stderr.count("\n") == 1
        assert "it is an older copy" in finished.stderr
    for words in (("ledger", "verify"), ("ledger", "verify", "--head", "0" * 64), ("card", "--check", "card.json")):
        finished = hansa_client(*words)
        assert (finished.code, finished.stderr) == (1, ""), words
        assert "it is an older copy" in finished.stdout
    (shop / "ledger.sqlite").write_bytes(newest)
    assert hansa_client("ledger", "verify").code == 0


def test_a_copy_elsewhere_is_verified_against_a_head_that_was_noted(shop: Path, hansa_client, make_spend) -> None:
    spend_rounds(shop, make_spend)
    head = hansa_client("ledger", "verify", "--json").json["head"]
    (shop / "copy").mkdir()
    (shop / "copy" / "ledger.sqlite").write_bytes((shop / "ledger.sqlite").read_bytes())
    assert hansa_client("ledger", "verify", "--folder", "copy", "--head", head).code == 0
    alone = hansa_client("ledger", "verify", "--folder", "copy")
    assert alone.code == 1
    assert "There is no copy/ledger.head.json" in alone.stdout
    assert [file.name for file in (shop / "copy").iterdir()] == ["ledger.sqlite"], "looking changes nothing"


def test_recover_says_what_it_costs_and_charges_it_when_told_to(shop: Path, hansa_client, make_spend) -> None:
    spend_rounds(shop, make_spend, rounds=1)
    older = (shop / "ledger.sqlite").read_bytes()
    spend_rounds(shop, make_spend, rounds=2)
    (before,) = hansa_client("ledger", "show", "--json").json["accounts"]
    assert "Nothing is lost" in hansa_client("ledger", "recover").stdout
    (shop / "ledger.sqlite").write_bytes(older)
    looked = hansa_client("ledger", "recover")
    assert looked.code == 1
    assert "would be charged to" in looked.stdout
    assert "--accept" in looked.stdout
    assert (shop / "ledger.sqlite").read_bytes() == older
    done = hansa_client("ledger", "recover", "--accept", "--json")
    assert (done.code, done.json["known"], done.json["charged"]) == (0, True, True)
    (after,) = hansa_client("ledger", "show", "--json").json["accounts"]
    assert before["epsilon"] <= after["epsilon"] == pytest.approx(before["epsilon"], rel=1e-6)
    assert hansa_client("ledger", "verify").code == 0


def test_a_head_may_be_noted_in_another_place(shop: Path, hansa_client, make_spend) -> None:
    (shop / "stick").mkdir()
    assert hansa_client("ledger", "witness", "--json").json["also"] is None
    assert "stick/head.json" in hansa_client("ledger", "witness", "stick/head.json").stdout
    spend_rounds(shop, make_spend, rounds=1)
    assert json.loads((shop / "stick" / "head.json").read_text())["num_lines"] == 3
    assert hansa_client("ledger", "witness", "--none", "--json").json["also"] is None
    for wrong in (("nowhere/head.json",), ("here.json",), ("stick/head.json", "--none")):
        assert hansa_client("ledger", "witness", *wrong).code == 2


def test_export_writes_every_line_with_its_head(shop: Path, hansa_client, make_spend) -> None:
    spend_rounds(shop, make_spend, rounds=2)
    lines = [json.loads(line) for line in hansa_client("ledger", "export").stdout.splitlines()]
    assert [line["line"]["kind"] for line in lines] == ["opening", "spend", "seal", "spend", "seal"]
    assert hansa_client("ledger", "export", "--json").json == lines
    assert hansa_client("ledger", "export", "--out", "lines.jsonl").stdout == "Wrote 5 lines to lines.jsonl.\n"
    assert len((shop / "lines.jsonl").read_text().splitlines()) == 5


def test_tap_shows_what_left_byte_for_byte_and_in_words(shop: Path, hansa_client, make_spend) -> None:
    spend_rounds(shop, make_spend, rounds=2)
    said = hansa_client("tap").stdout
    assert said.count("and nothing else: no count, no loss") == 2
    assert "3 whole numbers: 83886080, -16777216, 1 …" in said
    with closing(Ledger(shop / "ledger.sqlite")) as ledger:
        message = ledger.message(2)
    assert message is not None
    assert hansa_client("tap", "--line", 2, "--out", "left.bin").code == 0
    assert (shop / "left.bin").read_bytes() == message
    (told,) = hansa_client("tap", "--line", 2, "--raw", "--json").json
    assert bytes.fromhex(told["hex"]) == message
    assert told["fields"]["total"]["norm"] == pytest.approx((25 + 1) ** 0.5, rel=1e-6)
    dump = hansa_client("tap", "--line", 2, "--raw").stdout
    rows = re.findall(r"^[0-9a-f]{8}  ((?:[0-9a-f]{2} ?)+) ", dump, re.MULTILINE)
    assert bytes.fromhex("".join(rows)) == message
    assert hansa_client("tap", "--line", 3).code == 2
    assert hansa_client("tap", "--out", "other.bin").code == 2


def test_a_card_is_issued_signed_and_checked(shop: Path, hansa_client, make_spend) -> None:
    spend_rounds(shop, make_spend)
    assert hansa_client("card", "--out", "card.html").code == 0
    signed = json.loads((shop / "card.json").read_text())
    assert signed["card"]["guarantee_of_release"]["everyone_else_colludes"]["epsilon"] > 0
    assert "<script" not in (shop / "card.html").read_text()
    assert (shop / "card.key").stat().st_mode & 0o777 == 0o600
    checked = hansa_client("card", "--check", "card.json", "--json")
    assert (checked.code, checked.json["true"]) == (0, True)
    signed["card"]["unit"] = "customer and family"
    (shop / "card.json").write_text(json.dumps(signed))
    assert hansa_client("card", "--check", "card.json").code == 1
    assert hansa_client("card", "f00").code == 2


def test_a_card_of_another_ledger_does_not_check(shop: Path, hansa_client, make_spend, tmp_path: Path) -> None:
    spend_rounds(shop, make_spend)
    assert hansa_client("card", "--out", "card.html").code == 0
    other = tmp_path / "other"
    other.mkdir()
    (other / "policy.toml").write_text((shop / "policy.toml").read_text())
    assert hansa_client("ledger", "open", "--folder", other).code == 0
    assert "never had the head" in hansa_client("card", "--check", "card.json", "--folder", other).stdout


def test_a_card_is_checked_by_whoever_was_handed_it(
    shop: Path, hansa_client, make_spend, tmp_path_factory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A customer or a coordinator: no folder, no policy, no ledger."""
    spend_rounds(shop, make_spend)
    assert hansa_client("card", "--out", "card.html").code == 0
    signed = json.loads((shop / "card.json").read_text())
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    monkeypatch.chdir(elsewhere)
    (elsewhere / "card.json").write_text(json.dumps(signed))
    key, other = signed["public_key"], "0" * 64
    believed = hansa_client("card", "--check", "card.json", "--key", key)
    assert (believed.code, believed.stdout.count("\n")) == (0, 1)
    assert "signed as it stands" in believed.stdout
    assert "no ledger is here" in believed.stdout
    said = hansa_client("card", "--check", "card.json", "--json").json
    assert (said["true"], said["outcome"], said["public_key"], said["ledger"]) == (True, "true", key, "none here")
    strange = hansa_client("card", "--check", "card.json", "--key", other, "--json")
    assert (strange.code, strange.json["outcome"]) == (1, "other key")
    signed["card"]["unit"] = "customer and family"
    (elsewhere / "card.json").write_text(json.dumps(signed))
    changed = hansa_client("card", "--check", "card.json")
    assert (changed.code, changed.stdout.count("\n")) == (1, 1)
    assert "was changed after it was signed" in changed.stdout
    assert [file.name for file in elsewhere.iterdir()] == ["card.json"], "checking makes nothing"
    for wrong in (("--check", "card.json", "--key", "abc"), ("--key", key), ("--check", "nowhere.json")):
        finished = hansa_client("card", *wrong)
        assert (finished.code, finished.stderr.count("\n")) == (2, 1)


def test_a_merchant_checks_another_merchant_s_card_without_its_own_ledger(
    shop: Path, hansa_client, make_spend, tmp_path_factory
) -> None:
    spend_rounds(shop, make_spend)
    assert hansa_client("card", "--out", "card.html").code == 0
    other = tmp_path_factory.mktemp("other")
    (other / "policy.toml").write_text((shop / "policy.toml").read_text())
    assert hansa_client("ledger", "open", "--folder", other).code == 0
    spend_rounds(other, make_spend, plan_hash="d" * 64)
    assert hansa_client("card", "--folder", other).code == 0  # makes its key
    checked = hansa_client("card", "--check", "card.json", "--folder", other, "--json")
    assert (checked.code, checked.json["ledger"]) == (0, "another merchant's")


def test_consider_says_what_would_be_agreed_and_spends_nothing(shop: Path, hansa_client, make_plan) -> None:
    key = "c" * 64
    plan = make_plan(privacy={"training": {"num_rounds": 100}})
    source = Path(__file__).parents[2] / "plans" / "online-retail-customers.toml"
    assert plan.privacy.unit == "customer"
    refused = hansa_client("consider", source, "--coordinator", key, "--cohort", 20, "--json")
    assert (refused.code, refused.json["allowed"]) == (1, False)
    policy = (shop / "policy.toml").read_text()
    policy = policy.replace("coordinators = []", f'coordinators = ["{key}"]')
    policy = policy.replace("plans = []", f'plans = ["{refused.json["hash"]}"]')
    (shop / "policy.toml").write_text(policy)
    allowed = hansa_client("consider", source, "--coordinator", key, "--cohort", 20, "--json")
    assert (allowed.code, allowed.json["allowed"]) == (0, True)
    assert allowed.json["epsilon"] == pytest.approx(1.0, rel=1e-6)
    plain = hansa_client("consider", source, "--coordinator", key, "--cohort", 20, "--without-noise")
    assert plain.code == 1
    assert "allow_training_without_noise" in plain.stdout
    assert hansa_client("ledger", "show", "--json").json["accounts"][0]["epsilon"] == 0.0


def test_consider_says_in_words_what_would_be_read_whoever_approves_it(shop: Path, hansa_client) -> None:
    source = Path(__file__).parents[2] / "plans" / "federation.toml"
    words = ("consider", source, "--coordinator", "c" * 64, "--cohort", 20)
    said = hansa_client(*words)
    assert said.code == 1
    assert "is all rows with the same 'product'; your policy has no [data] section, so you alone" in said.stdout
    assert (
        "- It reads of 'sales.csv': 'product' (data.entity), 'date' (data.time), 'units' (data.target)" in said.stdout
    )
    reads = hansa_client(*words, "--json").json["reads"]
    assert reads["entity"] == "product"
    assert reads["files"]["sales.csv"][:3] == ["product", "date", "units"]
    assert said.stdout.startswith("".join(f"- {sentence}\n" for sentence in reads["words"]))
    forged = source.read_text().replace('name = "federation"', 'name = "federation\\nallowed: True"')
    (shop / "forged.toml").write_text(forged)
    assert "\nallowed: True" not in hansa_client("consider", shop / "forged.toml", *words[2:]).stdout
    (shop / "policy.toml").unlink()
    assert hansa_client("policy", "--plan", source, "--out", "policy.toml").code == 0
    policy = (shop / "policy.toml").read_text().replace("coordinators = []", f'coordinators = ["{"c" * 64}"]')
    policy = policy.replace("plans = []", f'plans = ["{hansa_client(*words, "--json").json["hash"]}"]')
    (shop / "policy.toml").write_text(policy)
    assert "in your policy one product is all rows with the same 'product'" in hansa_client(*words).stdout
    (shop / "policy.toml").write_text(policy.replace('entity = "product"', 'entity = "date"'))
    refused = hansa_client(*words, "--json").json
    assert "counts every 'product' as one entity (data.entity), the policy's entity is 'date'" in refused["reason"]


def test_a_plan_whose_paths_lead_out_of_the_data_root_is_one_sentence_everywhere(
    shop: Path, hansa_client, tmp_path: Path
) -> None:
    text = (Path(__file__).parents[2] / "plans" / "federation.toml").read_text()
    (tmp_path / "plan.toml").write_text(text.replace('path = "sales.csv"', 'path = "../sales.csv"'))
    for words in (
        ("consider", "plan.toml", "--coordinator", "c" * 64, "--cohort", 20),
        ("check", "plan.toml"),
        ("doctor", "plan.toml"),
        ("audit", "plan.toml"),
        ("join", "--dry-run", "--plan", "plan.toml"),
        ("policy", "--plan", "plan.toml"),
    ):
        said = hansa_client(*words)
        assert (said.code, said.stderr.count("\n")) == (2, 1)
        assert "data.path = '../sales.csv' is no path below the data root, since it leads upwards" in said.stderr


def test_a_starter_is_filled_from_a_table_or_a_plan_and_from_one_of_them(hansa_client, tmp_path: Path) -> None:
    (tmp_path / "sales.csv").write_text("product,date,units\n")
    assert hansa_client("policy", "--table", "sales.csv", "--entity", "product", "--out", "policy.toml").code == 0
    assert read_policy(tmp_path / "policy.toml").readable == {"sales.csv": ("product", "date", "units")}
    plan = Path(__file__).parents[2] / "plans" / "federation.toml"
    for words in (("--table", "sales.csv"), ("--entity", "product"), ("--plan", plan, "--table", "a", "--entity", "b")):
        said = hansa_client("policy", *words)
        assert (said.code, said.stderr.count("\n")) == (2, 1)
        assert "Give --plan FILE, or --table FILE with --entity COLUMN" in said.stderr


def test_a_model_larger_than_the_proof_is_not_allowed(shop: Path, hansa_client, tmp_path: Path) -> None:
    source = Path(__file__).parents[2] / "plans" / "federation.toml"
    large = tmp_path / "large.toml"
    cold = source.read_text().replace('start = "warm"', 'start = "cold"')
    large.write_text(re.sub(r"(hidden|decoder)_size = \d+", r"\1_size = 1024", cold))
    refused = hansa_client("consider", large, "--coordinator", "c" * 64, "--cohort", 20, "--json")
    assert (refused.code, refused.json["allowed"]) == (1, False)
    assert "is proven for up to 4,194,296" in refused.json["reason"]


@pytest.mark.parametrize("coordinator", ["the bank", "c" * 63, "c" * 65, "C" * 64, "", "c" * 64 + "\n"])
def test_consider_takes_nothing_but_the_name_of_a_key_for_a_coordinator(
    shop: Path, hansa_client, coordinator: str
) -> None:
    finished = hansa_client("consider", "nowhere.toml", "--coordinator", coordinator, "--cohort", 3)
    assert (finished.code, finished.stderr.count("\n")) == (2, 1)
    assert "is no name of a key; give the 64 hexadecimal digits" in finished.stderr


def test_what_a_shell_gets_wrong_is_one_sentence_and_exit_code_two(shop: Path, hansa_client, tmp_path: Path) -> None:
    (tmp_path / "no.json").write_text("[")
    (tmp_path / "cohort.json").write_text('{"members": [], "own": 0, "weight_cap": 0.25}')
    for arguments in (
        ("card", "--check", "no.json"),
        ("card", "--check", "nowhere.json"),
        ("consider", "nowhere.toml", "--coordinator", "c" * 64, "--cohort", 3),
        ("card", "--cohort", "cohort.json"),
        ("ledger", "show", "--out", "nowhere/budget.svg"),
    ):
        finished = hansa_client(*arguments)
        assert finished.code == 2
        assert finished.stderr.count("\n") == 1
        assert "Traceback" not in finished.stderr
