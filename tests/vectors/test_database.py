"""A ledger and a registry that the first version wrote open, migrate and go on; those of a later one are refused."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from client.account.ledger.entry import Seal, Spend, read_entry, write_entry
from client.account.ledger.ledger import Ledger, create_ledger
from client.account.ledger.verification import verify_ledger
from client.account.policy import read_policy
from common.disk.database import migrate
from common.errors import DataError, HansaError, PrivacyError
from common.message.proposal import parse_proposal
from server.registry.registry import Registry, State
from server.registry.table import STEPS

AT = datetime(2027, 1, 1, tzinfo=UTC)


def version_of(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        return int(connection.execute("PRAGMA user_version").fetchone()[0])


def rows_of(path: Path, table: str) -> list[Any]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(f"SELECT * FROM {table} ORDER BY 1").fetchall()  # noqa: S608  our own word


def next_round(spend: Spend, **fields: Any) -> Spend:
    return spend.model_copy(update={"round_number": spend.round_number + 1, "at": AT, **fields})


def test_a_ledger_of_the_first_version_opens_with_every_line_and_message(copied: Path) -> None:
    path = copied / "merchant" / "ledger.sqlite"
    before = rows_of(path, "entry"), rows_of(path, "message")
    assert version_of(path) == 0
    with closing(Ledger(path)) as ledger:
        kinds = [entry.kind for entry in ledger.entries]
        assert kinds == ["opening", "spend", "seal", "spend"]
        assert ledger.message(2) == (copied / "messages" / "reply.bin").read_bytes()
        assert ledger.message(4) is None
    assert version_of(path) == 3
    assert (rows_of(path, "entry"), rows_of(path, "message")) == before
    assert [write_entry(read_entry(line)) for _, line, _ in before[0]] == [line for _, line, _ in before[0]]
    verify_ledger(path, head=before[0][-1][2])


def test_a_ledger_of_the_first_version_goes_on_and_nothing_in_it_got_cheaper(copied: Path) -> None:
    path, policy = copied / "merchant" / "ledger.sqlite", read_policy(copied / "merchant" / "policy.toml")
    with closing(Ledger(path)) as ledger:
        account = ledger.account("shop", "customer")
        spent, last = account.mu_squared(), account.spends[-1]
        assert spent == pytest.approx(2 / last.noise_multiplier**2)
        assert ledger.reserve(last, policy.budgets) == 4, "a charged round is not charged again"
        number = ledger.reserve(next_round(last), policy.budgets)
        assert ledger.seal(number, b"answer", at=AT) == b"answer"
        assert ledger.account("shop", "customer").mu_squared() == pytest.approx(1.5 * spent)
    with closing(Ledger(path)) as again:
        assert isinstance(again.entries[-1], Seal)
        assert again.message(number) == b"answer"
    verify_ledger(path)


def test_the_first_version_can_still_read_a_ledger_that_was_brought_forward(copied: Path) -> None:
    """Nothing but the number changed, so who goes back keeps every spend."""
    path = copied / "merchant" / "ledger.sqlite"
    tables = "SELECT name, sql FROM sqlite_master ORDER BY name"
    with closing(sqlite3.connect(path)) as connection:
        before = connection.execute(tables).fetchall()
    Ledger(path).close()
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute(tables).fetchall() == before


@pytest.mark.parametrize(
    ("name", "error", "sentence"),
    [
        ("ledger-later-version", DataError, "was written by a newer version of hansa; install that version"),
        ("ledger-changed-line", PrivacyError, "Line 2 of .* was changed, dropped or moved"),
        ("ledger-dropped-line", PrivacyError, "Line 2 of .* was changed, dropped or moved"),
        ("ledger-empty", PrivacyError, "no such table: entry; nothing was spent"),
    ],
)
def test_a_bad_ledger_is_refused_and_no_table_is_made_in_it(
    copied: Path, name: str, error: type[HansaError], sentence: str
) -> None:
    path = copied / "bad" / f"{name}.sqlite"
    with pytest.raises(error, match=sentence):
        Ledger(path)
    with closing(sqlite3.connect(path)) as connection:
        tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    assert tables == (set() if name == "ledger-empty" else {"entry", "message"})


def test_a_registry_of_the_first_version_opens_with_everything_and_goes_on(copied: Path) -> None:
    path = copied / "coordinator" / "registry.sqlite"
    assert version_of(path) == 0
    with closing(Registry(path)) as registry:
        (member,), (launch,), (model,) = registry.members(), registry.launches(), registry.models()
        assert (member.name, member.node_id, member.protocol) == ("north", 2**64 - 3, 1)
        assert (launch.state, launch.round_number, launch.num_rounds) == (State.RUNNING, 1, 3)
        assert parse_proposal(launch.signed.content).run_hash == launch.run_hash
        assert registry.terms(1)[0].num_rounds == 1
        assert set(registry.receipts(model.model_hash)) == {"north"}
        registry.note_answers(1, round_number=2, members=["north"])
        registry.note_launch(1, round_number=2)
        registry.note_protocol("north", 2)
    assert version_of(path) == len(STEPS)
    with closing(Registry(path)) as registry:
        assert registry.terms(1)[0].num_rounds == 2
        assert registry.members()[0].protocol == 2


def test_a_registry_of_a_later_version_is_one_sentence(copied: Path) -> None:
    path = copied / "bad" / "registry-later-version.sqlite"
    with pytest.raises(DataError, match="newer version of hansa; install that version to read it"):
        Registry(path)
    assert version_of(path) == 99


def test_a_new_ledger_and_a_new_registry_have_the_present_version(tmp_path: Path) -> None:
    create_ledger(tmp_path / "ledger.sqlite")
    assert version_of(tmp_path / "ledger.sqlite") == 3
    Ledger(tmp_path / "ledger.sqlite").close()
    Registry(tmp_path / "registry.sqlite").close()
    assert (version_of(tmp_path / "ledger.sqlite"), version_of(tmp_path / "registry.sqlite")) == (3, len(STEPS))


def test_a_step_that_fails_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    steps = (
        ("CREATE TABLE a (x)", "INSERT INTO a VALUES (1)"),
        ("CREATE TABLE b (x)", "INSERT INTO nowhere VALUES (1)"),
    )
    path = tmp_path / "file.sqlite"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        migrate(connection, steps[:1], path=path)
        with pytest.raises(sqlite3.Error, match="nowhere"):
            migrate(connection, steps, path=path)
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("a",)]
        assert connection.execute("SELECT x FROM a").fetchall() == [(1,)]
    assert version_of(path) == 1
