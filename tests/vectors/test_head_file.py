"""A ledger with its head noted beside it, as the version that began to note heads wrote both."""

import shutil
from contextlib import closing
from pathlib import Path

import pytest

from client.account.ledger.entry import Spend, read_entry, write_entry
from client.account.ledger.head_file import read_noted
from client.account.ledger.ledger import Ledger
from client.account.ledger.verification import verify_ledger
from common.errors import PrivacyError

SECOND = Path(__file__).parent / "0.2" / "merchant"


@pytest.fixture
def copied_merchant(tmp_path: Path) -> Path:
    return shutil.copytree(SECOND, tmp_path / "merchant")


def test_a_ledger_that_was_recovered_opens_with_its_head_and_what_it_was_charged(copied_merchant: Path) -> None:
    with closing(Ledger(copied_merchant / "ledger.sqlite")) as ledger:
        noted = read_noted(ledger.head_files.beside)
        assert (noted.num_lines, noted.head, noted.also) == (len(ledger.entries), ledger.heads[-1], None)
        assert [entry.kind for entry in ledger.entries] == ["opening", "spend", "seal", "spend"]
        lost = ledger.entries[-1]
        assert isinstance(lost, Spend)
        assert (lost.plan, lost.coordinator, read_entry(write_entry(lost))) == ("lost lines", "0" * 64, lost)
        account = ledger.account("shop", "customer")
        assert 2 / 16 <= account.mu_squared() == pytest.approx(2 / 16)
        assert noted.accounts[0].mu_squared == account.mu_squared()
    verify_ledger(copied_merchant / "ledger.sqlite")


def test_an_older_copy_beside_a_newer_head_is_refused(copied_merchant: Path) -> None:
    with pytest.raises(PrivacyError, match=r"has 3 lines and never had the head .* after 5: it is an older copy"):
        Ledger(copied_merchant / "ledger-older.sqlite")


def test_the_head_file_is_written_in_the_very_same_bytes(copied_merchant: Path) -> None:
    file = copied_merchant / "ledger.head.json"
    before = file.read_bytes()
    with closing(Ledger(copied_merchant / "ledger.sqlite")) as ledger:
        ledger.note_also(None)
    assert file.read_bytes() == before
