"""What a member keeps on disk: once, whole, for its owner's eyes, and in one sentence if it cannot be used."""

import multiprocessing
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest

from client.secure_sum.store import Kind, SumStore
from common.errors import DataError, HansaError, PrivacyError
from sum_world import make_members, make_session, to_masked, to_total, totals_of

SESSION = "ab" * 32


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "sums.sqlite"


# Check 9.
def test_what_is_kept_first_is_kept_for_good_also_for_who_opens_it_later(path: Path) -> None:
    with closing(SumStore(path)) as store:
        assert store.keep(SESSION, 1, Kind.SECRETS, b"first") == b"first"
        assert store.keep(SESSION, 1, Kind.SECRETS, b"second") == b"first"
    with closing(SumStore(path)) as store:
        assert store.find(SESSION, 1, Kind.SECRETS) == b"first"
        assert store.find(SESSION, 1, Kind.SHARES) is None
        assert store.find(SESSION, 2, Kind.SECRETS) is None
        assert store.find("cd" * 32, 1, Kind.SECRETS) is None


def test_rounds_of_a_block_are_kept_together_or_not_at_all(path: Path) -> None:
    with closing(SumStore(path)) as store:
        store.keep(SESSION, 2, Kind.SECRETS, b"old")
        assert store.keep_all(SESSION, Kind.SECRETS, {1: b"one", 2: b"two"}) == {1: b"one", 2: b"old"}
        store.forget(SESSION, 4)
        with pytest.raises(PrivacyError, match=r"Round 4 .* closed"):
            store.keep_all(SESSION, Kind.SECRETS, {3: b"three", 4: b"four"})
        assert store.find(SESSION, 3, Kind.SECRETS) is None


def test_a_closed_round_is_gone_from_every_file_and_nothing_more_is_said_about_it(path: Path) -> None:
    secret = bytes(range(200, 232)) * 3
    with closing(SumStore(path)) as store:
        store.keep(SESSION, 1, Kind.SECRETS, secret)
        store.keep(SESSION, 2, Kind.SECRETS, b"of another round")
        store.forget(SESSION, 1)
        store.forget(SESSION, 1)
        for asked in (lambda: store.find(SESSION, 1, Kind.SECRETS), lambda: store.keep(SESSION, 1, Kind.SECRETS, b"n")):
            with pytest.raises(PrivacyError, match="closed"):
                asked()
        assert store.find(SESSION, 2, Kind.SECRETS) == b"of another round"
        left = b"".join(file.read_bytes() for file in path.parent.iterdir())
        assert secret[:32] not in left


@pytest.mark.parametrize(
    "statement",
    ["UPDATE kept SET content = x'00'", "DELETE FROM kept", "DELETE FROM kept WHERE kind = 'closed'"],
)
def test_no_row_is_changed_or_removed_before_its_round_is_closed(path: Path, statement: str) -> None:
    with closing(SumStore(path)) as store:
        store.keep(SESSION, 1, Kind.SECRETS, b"one")
        store.forget(SESSION, 2)
        with closing(sqlite3.connect(path)) as other, pytest.raises(sqlite3.IntegrityError):
            other.execute(statement)
        assert store.find(SESSION, 1, Kind.SECRETS) == b"one"


def test_it_is_for_its_owners_eyes_and_written_through(path: Path) -> None:
    with closing(SumStore(path)) as store:
        store.keep(SESSION, 1, Kind.SECRETS, b"one")
        modes = {stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
        assert modes == {0o600}
        assert store._connection.execute("PRAGMA synchronous").fetchone() == (2,)
        assert store._connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def spoil_header(path: Path) -> None:
    path.write_bytes(b"no database at all, but bytes" * 100)


def spoil_pages(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[:100] + bytes(len(content) - 100))


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:5000])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def replace_by_other(path: Path) -> None:
    path.unlink()
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE kept (name TEXT)")


def replace_by_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def replace_by_dangling_link(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.parent / "gone")


def flip_content(path: Path) -> None:
    with closing(sqlite3.connect(path)) as other:
        other.execute("DROP TRIGGER never_changed")
        other.execute("UPDATE kept SET content = x'00'")
        other.commit()


def move_row(path: Path) -> None:
    with closing(sqlite3.connect(path)) as other:
        other.execute("DROP TRIGGER never_changed")
        other.execute("UPDATE kept SET round = 1 WHERE round = 2")
        other.commit()


@pytest.mark.parametrize(
    "spoil",
    [
        spoil_header, spoil_pages, cut, empty, replace_by_other, replace_by_folder, replace_by_dangling_link,
        flip_content, move_row,
    ],
)  # fmt: skip
def test_a_damaged_or_foreign_file_is_one_sentence_and_never_made_anew(path: Path, spoil) -> None:
    with closing(SumStore(path)) as store:
        store.keep(SESSION, 2, Kind.SECRETS, b"two")
    spoil(path)
    with pytest.raises(PrivacyError) as raised, closing(SumStore(path)) as store:  # noqa: PT012
        store.find(SESSION, 1, Kind.SECRETS)
        store.find(SESSION, 2, Kind.SECRETS)
    assert str(path) in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_later_version_s_file_is_refused_and_not_touched(path: Path) -> None:
    SumStore(path).close()
    with closing(sqlite3.connect(path)) as other:
        other.execute("PRAGMA user_version = 9")
    with pytest.raises(DataError, match="newer version"):
        SumStore(path)


def draw(path: Path, content: bytes, barrier, answers) -> None:
    with closing(SumStore(path)) as store:
        barrier.wait()
        answers.put([store.keep(SESSION, number, Kind.SECRETS, content) for number in range(1, 20)])


def test_two_processes_at_once_end_up_with_the_same_secrets(path: Path) -> None:
    context = multiprocessing.get_context("fork")
    barrier, answers = context.Barrier(2), context.Queue()
    processes = [context.Process(target=draw, args=(path, content, barrier, answers)) for content in (b"one", b"two")]
    for process in processes:
        process.start()
    first, second = answers.get(timeout=60), answers.get(timeout=60)
    for process in processes:
        process.join(60)
    assert first == second


def test_a_member_whose_file_is_damaged_says_nothing(folder: Path) -> None:
    session = make_session(4)
    members = make_members(session, folder)
    to_total(members, to_masked(members, totals_of(session)))
    spoil_pages(folder / "shop-000.sqlite")
    with pytest.raises(HansaError):
        make_members(session, folder)["shop-000"].keys(1, 1)
