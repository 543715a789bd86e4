"""Whose sum a merchant joins: fingerprints to read out, and a policy that keeps every word of its owner."""

import json
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from certs.key import read_or_make_signing_key
from client import cli
from client.account.ledger.balance import room_alone
from client.account.ledger.entry import Spend
from client.account.ledger.ledger import Ledger
from client.account.peer_book import MOST_ROSTERS, note_roster, read_rosters
from client.account.policy import read_policy
from client.account.sum_terms import fingerprint
from client.command.peers import group
from client.folder import MerchantFolder
from client.language.speech import CHINESE, ENGLISH, speaking
from client.page.view.privacy import show_privacy
from common.message.proposal import Proposal
from common.message.signature import name_key, public_bytes
from common.plan.schema import Plan
from common.privacy.accounting import epsilon_of
from common.secure_sum.cohort import session_of
from common.secure_sum.roster import Peer

AT = datetime(2027, 1, 1, tzinfo=UTC)
STARTER = files("client.account").joinpath("starter.toml").read_text()
SUM = """
[sum]                             # my terms
smallest_cohort = 3
verified_peers = 1
colluders = 1
epsilon_if_all_collude = 12.0     # enough
peers = []                        # by telephone
"""
SHARED = {"noise_share": 8, "session": "5" * 64, "colluders": 6, "num_members": 20}


@dataclass(frozen=True)
class Finished:
    code: int
    stdout: str
    stderr: str

    @property
    def json(self) -> Any:
        return json.loads(self.stdout)


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("policy.toml").write_text(STARTER + SUM)
    return tmp_path


@pytest.fixture
def hansa_client(
    shop: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Finished]:
    """Run the command line in this process and in the merchant's folder."""

    def run(*arguments: object) -> Finished:
        monkeypatch.setattr(sys, "argv", ["hansa-client", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as stop:
            cli.main()
        said = capsys.readouterr()
        return Finished(int(stop.value.code or 0), said.out, said.err)

    return run


def peer(name: str, seed: int) -> Peer:
    key = Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32)
    return Peer(name=name, key=public_bytes(key).hex(), size_class=32)


@pytest.fixture
def propose(shop: Path, make_plan: Callable[..., Plan]) -> Callable[..., tuple[Peer, ...]]:
    """Note a proposed sum of two others and of this merchant."""

    def note(name: str = "small", seed: int = 1) -> tuple[Peer, ...]:
        own = public_bytes(read_or_make_signing_key(shop / "peer.key")).hex()
        roster = (peer("north", seed), Peer(name="own", key=own, size_class=32), peer("south", 9))
        terms = {"threshold": 3, "colluders": 1, "noise_multiplier": 14.0}
        plan = make_plan(name=name, privacy={"trust": "sum", "sum": terms})
        proposed = Proposal(plan=plan, private=True, cohort_size=3, quorum=3, roster=roster)
        note_roster(shop / "peers.json", proposed, at=AT)
        return roster

    return note


def test_a_merchant_has_one_fingerprint_for_ever_in_groups_to_read_out(shop: Path, hansa_client) -> None:
    said = hansa_client("peers")
    own = name_key(public_bytes(read_or_make_signing_key(shop / "peer.key")))
    assert group(own) in said.stdout
    assert [len(part) for part in group(own).split()] == [4] * 16
    assert "No sum was proposed to you yet" in said.stdout
    assert hansa_client("peers", "--json").json["fingerprint"] == own
    assert (shop / "peer.key").stat().st_mode & 0o777 == 0o600


def test_everyone_in_a_proposed_sum_is_shown_and_who_is_verified(shop: Path, hansa_client, propose) -> None:
    roster = propose()
    said = hansa_client("peers").stdout
    assert "Plan 'small': you have verified 0 of the 2 others; your policy wants 1." in said
    for each in roster:
        assert group(fingerprint(each)) in said
    assert "own (you)" in said
    assert "north (not verified)" in said


def test_of_a_long_roster_those_are_shown_who_sum_with_this_merchant(
    shop: Path, hansa_client, make_plan: Callable[..., Plan]
) -> None:
    own = Peer(name="own", key=public_bytes(read_or_make_signing_key(shop / "peer.key")).hex(), size_class=32)
    roster = tuple(sorted([own, *(peer(f"shop{seed}", seed) for seed in range(1, 6))], key=lambda each: each.name))
    terms = {"threshold": 3, "colluders": 1, "noise_multiplier": 14.0, "cohort": 3}
    plan = make_plan(name="long", privacy={"trust": "sum", "sum": terms})
    proposed = Proposal(plan=plan, private=True, cohort_size=6, quorum=3, roster=roster)
    note_roster(shop / "peers.json", proposed, at=AT)
    shown = hansa_client("peers", "--json").json["sums"][0]["peers"]
    session = session_of("own", proposed.sessions)
    assert [each["name"] for each in shown] == list(session.names)
    assert "you have verified 0 of the 2 others" in hansa_client("peers").stdout


@pytest.mark.parametrize("way", ["name", "digits", "groups", "capitals"])
def test_what_was_compared_is_added_to_the_policy_and_no_other_word_of_it_changes(
    way: str, shop: Path, hansa_client, propose
) -> None:
    north = propose()[0]
    digits = fingerprint(north)
    told = {"name": "north", "digits": digits, "groups": group(digits), "capitals": group(digits).upper()}[way]
    said = hansa_client("peers", "--verify", told)
    assert (said.code, said.stdout) == (0, f"Verified: north\n{group(digits)}\n")
    text = (shop / "policy.toml").read_text()
    assert text == (STARTER + SUM).replace("\npeers = []  ", f'\npeers = ["{digits}"]  ')
    terms = read_policy(shop / "policy.toml").sum
    assert terms is not None
    assert terms.peers == (digits,)
    assert hansa_client("peers", "--verify", told).stdout.startswith("Verified before: north")
    assert (shop / "policy.toml").read_text() == text
    assert "you have verified 1 of the 2 others; your policy wants 1." in hansa_client("peers").stdout
    assert hansa_client("peers", "--json").json["sums"][0]["peers"][0]["verified"] is True


def test_a_policy_that_is_written_otherwise_is_left_alone_and_its_owner_is_told_the_line(
    shop: Path, hansa_client, propose
) -> None:
    digits = fingerprint(propose()[0])
    for text in (STARTER, STARTER + SUM.replace("peers = []", ""), STARTER + SUM.replace("\n[sum]", "\n[ sum ]")):
        (shop / "policy.toml").write_text(text)
        said = hansa_client("peers", "--verify", "north")
        assert said.code == 1
        assert f'peers = ["{digits}"]' in said.stdout
        assert (shop / "policy.toml").read_text() == text


def test_what_cannot_be_meant_is_refused_in_one_sentence(shop: Path, hansa_client, propose) -> None:
    propose()
    own = name_key(public_bytes(read_or_make_signing_key(shop / "peer.key")))
    assert "is no fingerprint of 64 digits and no merchant" in hansa_client("peers", "--verify", "nobody").stderr
    assert "That is your own fingerprint" in hansa_client("peers", "--verify", own).stderr
    assert "That is your own fingerprint" in hansa_client("peers", "--verify", "own").stderr
    propose("other", seed=2)
    said = hansa_client("peers", "--verify", "north")
    assert said.code == 2
    assert "'north' stands for 2 keys in the sums that were proposed; give the fingerprint" in said.stderr


def test_a_fingerprint_may_be_known_before_its_merchant_is_in_any_sum(shop: Path, hansa_client) -> None:
    said = hansa_client("peers", "--verify", "ab" * 32)
    assert "Verified: of nobody in a sum that was proposed yet" in said.stdout


def test_the_book_keeps_the_latest_rosters_and_a_damaged_one_is_one_sentence(shop: Path, hansa_client, propose) -> None:
    for number in range(MOST_ROSTERS + 2):
        propose(f"plan{number}")
    propose("plan5")
    names = [each.plan for each in read_rosters(shop / "peers.json")]
    assert (len(names), names[0], names[-1]) == (MOST_ROSTERS, "plan2", "plan5")
    (shop / "peers.json").write_text("{")
    said = hansa_client("peers")
    assert said.code == 2
    assert "peers.json cannot be read; move it away, and have the plan proposed again." in said.stderr
    propose("after")
    assert [each["plan"] for each in json.loads((shop / "peers.json").read_text())["rosters"]] == ["after"]


@pytest.fixture
def shared(shop: Path, hansa_client, make_spend: Callable[..., Spend]) -> Path:
    """A ledger with 8 rounds of noise 16 that 8 merchants share, as far as two accounts can be seen in it."""
    assert hansa_client("ledger", "open").code == 0
    policy = read_policy(shop / "policy.toml")
    with closing(Ledger(shop / "ledger.sqlite")) as ledger:
        for number in range(1, 9):
            at = datetime.now(UTC) - timedelta(days=9 - number)
            spend = make_spend(round_number=number, noise_multiplier=16.0, at=at, **SHARED)
            ledger.reserve(spend, policy.budgets, ceilings=policy.ceilings)
    return shop


def test_the_ledger_is_shown_with_both_numbers_and_what_decides_between_them(shared: Path, hansa_client) -> None:
    said = hansa_client("ledger", "show", "--out", "curve.svg").stdout
    few, everybody = epsilon_of((8 / 256 / 8) ** 0.5, 1e-5), epsilon_of((8 / 256) ** 0.5, 1e-5)
    assert (
        f"Epsilon {few:.3g} as long as at most 6 of the 20 merchants and the coordinator put their heads together; "
        f"{everybody:.3g} if all the others do." in said
    )
    (account,) = hansa_client("ledger", "show", "--json").json["accounts"]
    assert account["mu"] ** 2 == pytest.approx(8 / 256 / 8)
    assert account["if_all_collude"]["mu"] ** 2 == pytest.approx(8 / 256)
    assert account["assumption"] == {"colluders": 6, "num_members": 20}
    assert "dotted: if all the others put their heads together" in (shared / "curve.svg").read_text()


def test_what_the_budget_still_buys_is_what_both_ceilings_leave(shared: Path, hansa_client) -> None:
    loose = hansa_client("ledger", "forecast", "--json").json
    text = (shared / "policy.toml").read_text()
    (shared / "policy.toml").write_text(text.replace("epsilon_if_all_collude = 12.0 ", "epsilon_if_all_collude = 4.0 "))
    tight = hansa_client("ledger", "forecast", "--json").json
    assert tight["rounds_for_life"] < loose["rounds_for_life"]
    with closing(Ledger(shared / "ledger.sqlite")) as ledger:
        left = room_alone(ledger.account("shop", "customer"), 4.0)
    assert tight["rounds_for_life"] == int(left * 256)


def test_a_ledger_that_lost_lines_forgets_the_one_time_secrets_of_its_sums(shared: Path, hansa_client) -> None:
    sums = MerchantFolder(shared).sums
    for suffix in ("", "-wal", "-shm"):
        Path(f"{sums}{suffix}").write_bytes(b"secrets")
    assert hansa_client("ledger", "recover", "--accept").code == 0
    assert sums.exists(), "nothing was lost"
    (shared / "ledger.head.json").unlink()
    said = hansa_client("ledger", "recover", "--accept")
    assert said.code == 0
    assert "If all others put their heads together: epsilon 0.6" in said.stdout
    assert not list(shared.glob("sums.sqlite*"))


def test_the_page_says_both_numbers_in_both_languages(shared: Path) -> None:
    said = {}
    for spoken in (ENGLISH, CHINESE):
        with speaking(spoken):
            (account,) = show_privacy(shared, ZoneInfo("UTC"))["accounts"]
            said[spoken] = str(account["both"])
    assert "as long as at most 6 of the 20 merchants and the coordinator put their heads together" in said[ENGLISH]
    assert "只要 20 家商户中与协调方串通的不超过 6 家" in said[CHINESE]


def test_a_plan_that_trusts_in_the_sum_is_considered_with_both_numbers(shop: Path, hansa_client) -> None:
    vector = Path(__file__).parents[2] / "vectors" / "0.2" / "shared" / "plan.toml"
    (shop / "plan.toml").write_text(vector.read_text())
    assert hansa_client("ledger", "open").code == 0
    policy = (shop / "policy.toml").read_text().replace("coordinators = []", f'coordinators = ["{"c" * 64}"]')
    asked = ("consider", "plan.toml", "--coordinator", "c" * 64, "--cohort", 5, "--json")
    digest = json.loads((vector.parent / "said.json").read_text())["plan_hash"]
    policy = policy.replace("plans = []", f'plans = ["{digest}"]').replace("size_class = 512", "size_class = 32 ")
    (shop / "policy.toml").write_text(policy)
    said = hansa_client(*asked).json
    assert said["allowed"] is True, said
    assert said["epsilon"] == pytest.approx(epsilon_of(3**0.5 / 14, 1e-5))
    assert said["epsilon_if_all_collude"] == pytest.approx(epsilon_of(3 / 14, 1e-5))
    assert said["noise_multiplier"] == 14.0 / 3**0.5
    assert any("as long as at most 1 of the 5 merchants" in sentence for sentence in said["reads"]["words"])
    (shop / "policy.toml").write_text(policy.replace(SUM, ""))
    refused = hansa_client(*asked)
    assert refused.code == 1
    assert "the policy has no section [sum]" in refused.json["reason"]
