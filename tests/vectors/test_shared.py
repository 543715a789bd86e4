"""A merchant whose noise was shared, as the first version that could wrote ledger, plan, proposal and policy."""

import json
import shutil
from contextlib import closing
from pathlib import Path

import pytest

from client.account.assumption import Assumption, assumption_of
from client.account.ledger import file as ledger_file
from client.account.ledger.agreements import LedgerAgreements
from client.account.ledger.entry import Agreed, Spend, digest_survivors, read_entry, write_entry
from client.account.ledger.head_file import read_noted
from client.account.ledger.ledger import Ledger
from client.account.ledger.verification import verify_ledger
from client.account.peer_book import read_rosters
from client.account.policy import read_policy
from common.errors import DataError, PrivacyError
from common.message.proposal import parse_proposal
from common.plan.reading import read_plan

SHARED = Path(__file__).parent / "0.2" / "shared"
SAID = json.loads((SHARED / "said.json").read_text())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return shutil.copytree(SHARED, tmp_path / "merchant")


def test_a_ledger_with_shared_noise_opens_with_both_accounts_and_its_agreed_set(folder: Path) -> None:
    path = folder / "ledger.sqlite"
    with closing(Ledger(path)) as ledger:
        entries, (account,) = ledger.entries, ledger.accounts
        kinds = [entry.kind for entry in entries]
        noted = read_noted(ledger.head_files.beside)
        assert ledger.setting("user_version") == 3
    assert kinds == ["opening", "spend", "seal", "spend", "seal", "spend", "seal", "agreed"]
    assert (account.mu_squared(), account.mu_squared_alone()) == (SAID["mu_squared"], SAID["mu_squared_alone"])
    assert (noted.accounts[0].spent, noted.accounts[0].spent_alone) == (SAID["mu_squared"], SAID["mu_squared_alone"])
    assert account.num_roundings == noted.accounts[0].num_roundings == 100 + 2 * 4 * 100
    assert assumption_of(account.spends) == Assumption(colluders=1, num_members=5)
    agreed = entries[-1]
    assert isinstance(agreed, Agreed)
    assert agreed.survivors == digest_survivors(["shop0", "shop1", "shop2", "shop3"])
    verify_ledger(path)


def test_its_lines_are_written_in_the_very_same_words(folder: Path) -> None:
    with closing(Ledger(folder / "ledger.sqlite")) as ledger:
        rows = ledger._connection.execute("SELECT line FROM entry ORDER BY number").fetchall()
    assert [write_entry(read_entry(line)) for (line,) in rows] == [line for (line,) in rows]


def test_the_set_that_was_agreed_on_stays_and_another_is_refused(folder: Path) -> None:
    with closing(Ledger(folder / "ledger.sqlite")) as ledger:
        agreements = LedgerAgreements(ledger)
        agreements.note(SAID["session"], 1, "1" * 64, ["shop3", "shop2", "shop1", "shop0"])
        with pytest.raises(PrivacyError, match="another set of merchants or another model"):
            agreements.note(SAID["session"], 1, "1" * 64, ["shop0", "shop1", "shop2", "shop4"])
        assert len(ledger.entries) == 8


def test_a_version_that_knows_no_shared_noise_refuses_the_ledger(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the version before this one does: it knew two steps."""
    before = (folder / "ledger.sqlite").read_bytes()
    monkeypatch.setattr(ledger_file, "STEPS", ledger_file.STEPS[:2])
    with pytest.raises(DataError, match="was written by a newer version of hansa; install that version"):
        Ledger(folder / "ledger.sqlite")
    assert (folder / "ledger.sqlite").read_bytes() == before


def test_plan_proposal_and_session_keep_their_hashes(folder: Path) -> None:
    plan, content = read_plan(folder / "plan.toml"), (folder / "proposal.json").read_bytes()
    proposed = parse_proposal(content)
    assert (plan.hash, proposed.run_hash, proposed.sessions[0].hash) == (
        SAID["plan_hash"],
        SAID["run_hash"],
        SAID["session"],
    )
    assert proposed.plan == plan
    assert proposed.to_bytes() == content
    assert proposed.least_protocol == 3
    assert plan.privacy.noise_share == 3


def test_the_policy_and_the_book_of_peers_are_read_as_they_were_written(folder: Path) -> None:
    policy = read_policy(folder / "policy.toml")
    assert policy.ceilings == {"customer": 20.0}
    (proposed,) = read_rosters(folder / "peers.json")
    assert proposed.roster == parse_proposal((folder / "proposal.json").read_bytes()).roster
    with closing(Ledger(folder / "ledger.sqlite")) as ledger:
        last = next(entry for entry in reversed(ledger.entries) if isinstance(entry, Spend))
        other = last.model_copy(update={"session": "6" * 64})
        with pytest.raises(PrivacyError, match="was charged for a sum of other merchants"):
            ledger.reserve(other, policy.budgets, ceilings=policy.ceilings)
