"""Whatever goes wrong with a database is one sentence without a password, and what was read before stands."""

from __future__ import annotations

import logging
import os
import re
import sqlite3
import subprocess
import sys
import traceback
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from client.shop.settings import SourceSettings
from client.shop.source.database import DatabaseSource, look_database
from client.shop.source.sql.address import read_address
from common.errors import ConfigError, DataError, HansaError
from fleet.database_server import DatabaseServer
from fleet.superlink import free_port

Place = Any  # of conftest.py
SECRET = "Hush/hush%41:Ω'"  # noqa: S105
SERVERS = ("postgresql", "mariadb")
ROOT = Path(__file__).parents[4]


@pytest.fixture(autouse=True)
def _tells_no_secret(
    capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> Any:
    monkeypatch.setenv("SHOP_PASSWORD", SECRET)
    with caplog.at_level(logging.INFO):
        yield
    out, err = capfd.readouterr()
    assert SECRET not in out + err + caplog.text
    assert err == ""


def sentence_of(act: Callable[[], Any]) -> str:
    """Give what an error says, which is one sentence, and neither it nor its whole chain tells the password."""
    with pytest.raises(HansaError) as caught:
        act()
    message = str(caught.value)
    assert "\n" not in message
    assert re.search(r"[.)]$|hansa\[sql\]'$|\bexport \w+$|SELECT ON .+$", message), message
    assert SECRET not in "".join(traceback.format_exception(caught.value)) + repr(caught.value.args)
    return message


def fill(place: Place, count: int = 30, width: int = 5) -> None:
    word = "'x'" if place.server is None else f"REPEAT('x', {width})"
    place.run(
        "CREATE TABLE orders (number INTEGER NOT NULL PRIMARY KEY, units INTEGER, word VARCHAR(9000))",
        "INSERT INTO orders VALUES " + ", ".join(f"({number}, 1, {word})" for number in range(count)),  # noqa: S608
    )


@pytest.fixture
def reader(postgres: DatabaseServer, mariadb: DatabaseServer) -> dict[str, Callable[[str], str]]:
    """Make a user with a password and nothing but the right to read, and give how its URL begins."""
    quoted = SECRET.replace("'", "''").replace("%", "%%")
    found = postgres.execute(["SELECT 1 FROM pg_roles WHERE rolname = 'reader'"])
    if not found:
        postgres.execute([f"CREATE ROLE reader LOGIN PASSWORD '{quoted}'"])
    mariadb.execute([f"CREATE USER IF NOT EXISTS reader IDENTIFIED BY '{quoted}'", "GRANT SELECT ON *.* TO reader"])
    servers = {"postgresql": postgres, "mariadb": mariadb}
    return {
        kind: lambda name, kind=kind: servers[kind].url(name, user="reader:${SHOP_PASSWORD}")  # type: ignore[misc]
        for kind in servers
    }


@pytest.mark.parametrize("system", SERVERS)
def test_a_password_comes_from_the_environment_whatever_characters_it_has(
    system: str, make: Callable[[str], Place], reader: dict[str, Callable[[str], str]]
) -> None:
    place = make(system)
    fill(place)
    if system == "postgresql":
        place.run("GRANT SELECT ON orders TO reader")
    (look,) = look_database(reader[system](place.name), place.folder)
    assert look.num_rows == 30
    assert look.location == reader[system](place.name)
    address = read_address(look.location, place.folder)
    assert address.password == SECRET
    assert SECRET not in repr(address) + address.place


@pytest.mark.parametrize("system", SERVERS)
def test_a_wrong_password_and_none_are_a_sentence(
    system: str, make: Callable[[str], Place], reader: dict[str, Callable[[str], str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    place, url = make(system), reader[system]("shop_1")
    monkeypatch.setenv("SHOP_PASSWORD", "wrong")
    assert "does not let this user in" in sentence_of(lambda: look_database(url, place.folder))
    without = url.replace(":${SHOP_PASSWORD}", "")
    assert "give the password by ${NAME} in the URL" in sentence_of(lambda: look_database(without, place.folder))
    monkeypatch.delenv("SHOP_PASSWORD")
    assert "SHOP_PASSWORD, which is not set" in sentence_of(lambda: look_database(url, place.folder))


def test_the_password_of_postgresql_may_stand_in_its_own_file(
    make: Callable[[str], Place], reader: dict[str, Callable[[str], str]], tmp_path: Path
) -> None:
    place = make("postgresql")
    fill(place)
    place.run("GRANT SELECT ON orders TO reader")
    file = tmp_path / "pgpass"
    file.write_text("*:*:*:reader:{}\n".format(SECRET.replace("\\", "\\\\").replace(":", "\\:")))
    file.chmod(0o600)
    url = reader["postgresql"](place.name).replace(":${SHOP_PASSWORD}", "")
    assert len(look_database(f"{url}?passfile={file}", tmp_path)) == 1


def test_the_password_of_mariadb_may_stand_in_its_own_file(make: Callable[[str], Place], tmp_path: Path) -> None:
    place = make("mariadb")
    fill(place)
    file = tmp_path / "my.cnf"
    file.write_text("[client]\npassword=filed/%41\n")
    place.run("CREATE USER filed IDENTIFIED BY 'filed/%%41'", "GRANT SELECT ON *.* TO filed")
    url = place.server.url(place.name, user="filed")
    assert len(look_database(f"{url}?read_default_file={file}", tmp_path)) == 1


@pytest.mark.parametrize(
    "location",
    [
        f"postgresql://reader:{SECRET}@h/shop",
        f"postgresql://:{SECRET}@h/shop",
        "mysql://reader:Hush@more@h/shop",
        "mariadb+pymysql://reader:Hush@h/shop?charset=utf8",
        "postgresql://h/shop?user=reader&password=Hush",
        "postgresql://h/shop?options=-c%20x&passwd=Hush",
        "mysql://reader:$Hush@h/shop",
        "mysql://reader:${Hush@h/shop",
        "sqlite://reader:Hush@/shop.db",
    ],
)
def test_a_password_in_the_url_is_refused_and_not_repeated(location: str, tmp_path: Path) -> None:
    message = sentence_of(lambda: look_database(location, tmp_path))
    assert "A password stands in the URL" in message
    assert "Hush" not in message
    settings = SourceSettings(name="shop", location=location)
    assert "A password stands in the URL" in sentence_of(lambda: DatabaseSource(settings, tmp_path))


@pytest.mark.parametrize(
    ("location", "words"),
    [
        ("oracle://h/shop", "oracle:// is no database that can be read; there are postgresql://"),
        ("https://shop.example/orders.csv", "https:// is no database"),
        ("postgresql://h:port/shop", "cannot be read; write it as postgresql://reader:${SHOP_PASSWORD}@host/shop"),
        ("mariadb://h", "names no database"),
        ("mysql://h/shop?init_command=DROP", "has the option 'init_command', which is none of"),
        ("sqlite://", "names no file"),
        ("sqlite:///none.db", "none.db does not exist"),
        ("sqlite:///", "names no file"),
        ("sqlite:///.", "is a folder"),
    ],
)
def test_a_url_that_is_none_is_a_sentence(location: str, words: str, tmp_path: Path) -> None:
    assert words in sentence_of(lambda: look_database(location, tmp_path))


@pytest.mark.parametrize("system", SERVERS)
def test_nobody_at_the_other_end_is_a_sentence(system: str, tmp_path: Path) -> None:
    message = sentence_of(lambda: look_database(f"{system}://u@127.0.0.1:{free_port()}/shop", tmp_path))
    assert message.startswith("Nobody answers at ")
    assert "host" in sentence_of(lambda: look_database(f"{system}://u@nowhere.invalid/shop", tmp_path))


@pytest.mark.parametrize("system", SERVERS)
def test_an_unknown_database_is_a_sentence(system: str, make: Callable[[str], Place]) -> None:
    place = make(system)
    message = sentence_of(lambda: look_database(place.server.url("nowhere"), place.folder))
    assert message.startswith("There is no such database as ")


def test_a_database_without_tables_is_a_sentence(place: Place) -> None:
    assert "has no table" in sentence_of(lambda: look_database(place.url, place.folder))


def test_a_table_that_is_not_there_is_a_sentence_with_those_that_are(place: Place) -> None:
    fill(place)
    message = sentence_of(lambda: place.rows("Sales"))
    assert message.startswith("There is no table or view 'Sales' in ")
    assert message.endswith("it has orders.")


def test_a_mapped_or_followed_column_that_is_not_there_is_a_sentence(place: Place) -> None:
    fill(place)
    mapped = sentence_of(lambda: place.rows("orders", columns={"quantity": "pieces"}))
    assert "has no column 'pieces' (any more); it has number, units, word" in mapped
    assert "has no column 'changed' to follow" in sentence_of(lambda: place.rows("orders", follow="changed"))


@pytest.mark.parametrize("system", SERVERS)
def test_a_column_without_an_order_that_holds_cannot_be_followed(system: str, make: Callable[[str], Place]) -> None:
    place = make(system)
    kind = "JSON" if system == "postgresql" else "ENUM('b', 'a')"
    place.run(f"CREATE TABLE t (n INT PRIMARY KEY, share FLOAT, word {kind})")
    for name in ("share", "word"):
        assert f"The column '{name}'" in sentence_of(lambda name=name: place.rows("t", follow=name))  # type: ignore[misc]


def test_a_right_that_is_missing_is_a_sentence(
    make: Callable[[str], Place], reader: dict[str, Callable[[str], str]]
) -> None:
    place = make("postgresql")
    fill(place)
    settings = SourceSettings(name="shop", location=reader["postgresql"](place.name), table="orders")
    message = sentence_of(lambda: list(DatabaseSource(settings, place.folder).batches()))
    assert "may not read 'orders'; grant it: GRANT SELECT ON orders" in message


def begun(place: Place, **how: Any) -> tuple[Any, list[int], str]:
    """Begin to read, and give the rows and the cursor of the first batch."""
    reading = place.source("orders", **{"batch_rows": 5, "page_rows": 5, **how}).batches()
    batch = next(reading)
    return reading, batch.rows["number"].to_pylist(), batch.cursor


def ended(reading: Any, rows: list[int], cursor: str) -> tuple[str, list[int], str]:
    """Read on until something is wrong, and give what it is, the rows before and the last cursor."""
    last = [cursor]

    def read_on() -> None:
        for batch in reading:
            rows.extend(batch.rows["number"].to_pylist())
            last[0] = batch.cursor

    return sentence_of(read_on), rows, last[0]


def finish(place: Place, rows: list[int], cursor: str) -> None:
    """Read the rest, and see that each row came once."""
    rest, _ = place.rows("orders", cursor, columns={"order": "number"})
    assert rows + [row[0] for row in rest] == list(range(place.run("SELECT max(number) FROM orders")[0][0] + 1))


def test_a_table_that_is_dropped_while_it_is_read_is_a_sentence(place: Place) -> None:
    fill(place)
    begin = begun(place)
    place.run("ALTER TABLE orders RENAME TO away")
    message, rows, cursor = ended(*begin)
    assert "The table 'orders' is not in " in message
    assert rows == list(range(10))
    place.run("ALTER TABLE away RENAME TO orders")
    finish(place, rows, cursor)


def test_a_column_that_is_dropped_while_it_is_read_is_a_sentence(place: Place) -> None:
    fill(place)
    begin = begun(place)
    place.run("ALTER TABLE orders DROP COLUMN units")
    message, rows, cursor = ended(*begin)
    assert "A column of the table 'orders' in " in message
    assert "units" in message
    finish(place, rows, cursor)


@pytest.mark.parametrize("system", SERVERS)
def test_a_column_whose_type_changes_while_it_is_read_is_a_sentence(system: str, make: Callable[[str], Place]) -> None:
    place = make(system)
    fill(place)
    begin = begun(place)
    how = "ALTER COLUMN units TYPE TEXT" if system == "postgresql" else "MODIFY units VARCHAR(20)"
    place.run(f"ALTER TABLE orders {how}")
    message, rows, cursor = ended(*begin)
    assert "The column 'units' of the table 'orders'" in message
    assert "got another type while it was read" in message
    finish(place, rows, cursor)


@pytest.mark.parametrize("system", SERVERS)
def test_a_followed_column_whose_type_changed_since_is_read_from_its_beginning(
    system: str, make: Callable[[str], Place]
) -> None:
    place = make(system)
    fill(place)
    _, cursor = place.rows("orders", follow="number")
    place.run(
        f"ALTER TABLE orders {'ALTER COLUMN number TYPE TEXT' if system == 'postgresql' else 'MODIFY number CHAR(9)'}"
    )
    (batch,) = place.source("orders", follow="number").batches(cursor)
    assert batch.rows.num_rows == 30
    assert "from its beginning" in batch.notes[0]


@pytest.mark.parametrize("system", SERVERS)
def test_a_connection_that_is_ended_while_it_is_read_is_a_sentence_and_nothing_is_lost_or_doubled(
    system: str, make: Callable[[str], Place]
) -> None:
    place = make(system)
    fill(place, count=3000, width=8000)
    begin = begun(place, page_rows=100_000)
    assert place.server.end_connections(place.name) > 0
    message, rows, cursor = ended(*begin)
    assert "was lost while 'orders' was read; what was read before stands" in message
    assert 5 <= len(rows) < 3000
    finish(place, rows, cursor)


@pytest.mark.parametrize("system", SERVERS)
def test_a_server_that_restarts_while_it_is_read_is_a_sentence_and_nothing_is_lost_or_doubled(
    system: str, make: Callable[[str], Place]
) -> None:
    place = make(system)
    fill(place, count=3000, width=8000)
    begin = begun(place, page_rows=100_000)
    place.server.stop()
    message, rows, cursor = ended(*begin)
    assert "was lost while 'orders' was read" in message
    assert "Nobody answers at " in sentence_of(lambda: place.rows("orders", cursor))
    place.server.start()
    finish(place, rows, cursor)


def test_a_locked_sqlite_is_a_sentence(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "shop.sqlite", isolation_level=None)) as writer:
        writer.execute("CREATE TABLE orders (n INTEGER PRIMARY KEY)")
        writer.execute("BEGIN EXCLUSIVE")
        message = sentence_of(lambda: look_database("sqlite:///shop.sqlite?timeout=0.1", tmp_path))
    assert "is held by another program" in message


def test_a_file_that_is_no_sqlite_or_is_damaged_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "shop.sqlite").write_text("number,units\n1,2\n" * 100)
    assert "is no SQLite database" in sentence_of(lambda: look_database("sqlite:///shop.sqlite", tmp_path))
    with closing(sqlite3.connect(tmp_path / "cut.sqlite")) as writer, writer:
        writer.execute("CREATE TABLE orders (n INTEGER PRIMARY KEY, word TEXT)")
        writer.executemany("INSERT INTO orders VALUES (?, ?)", [(n, "x" * 500) for n in range(1000)])
    content = (tmp_path / "cut.sqlite").read_bytes()
    (tmp_path / "cut.sqlite").write_bytes(content[: len(content) // 2])
    settings = SourceSettings(name="shop", location="sqlite:///cut.sqlite", table="orders")
    message = sentence_of(lambda: list(DatabaseSource(settings, tmp_path).batches()))
    assert "cut.sqlite is damaged" in message


def test_an_sqlite_that_may_not_be_read_is_a_sentence(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may read everything")
    with closing(sqlite3.connect(tmp_path / "shop.sqlite")) as writer:
        writer.execute("CREATE TABLE orders (n INTEGER PRIMARY KEY)")
    (tmp_path / "shop.sqlite").chmod(0)
    assert "cannot be opened" in sentence_of(lambda: look_database("sqlite:///shop.sqlite", tmp_path))


@pytest.mark.parametrize(("system", "driver"), [("postgresql", "psycopg"), ("mariadb", "pymysql")])
def test_a_missing_driver_is_a_sentence(system: str, driver: str, tmp_path: Path) -> None:
    script = (
        f"import sys; sys.modules['{driver}'] = None\n"
        "from pathlib import Path\nfrom client.shop.source.database import look_database\n"
        "from common.errors import ConfigError\n"
        f"try: look_database('{system}://u@127.0.0.1/shop', Path('.'))\n"
        "except ConfigError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, timeout=120)
    assert done.stdout.endswith("is not installed, or is broken; install it with: pip install 'hansa[sql]'\n"), (
        done.stderr
    )


def test_errors_are_those_of_a_user(tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        read_address("oracle://h", tmp_path)
    with pytest.raises(DataError):
        look_database(f"postgresql://u@127.0.0.1:{free_port()}/shop", tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("system", SERVERS)
def test_a_table_that_somebody_holds_is_a_sentence_and_not_an_endless_wait(
    system: str, make: Callable[[str], Place]
) -> None:
    import sqlalchemy

    place = make(system)
    fill(place)
    driver = "postgresql+psycopg" if system == "postgresql" else "mysql+pymysql"
    engine = sqlalchemy.create_engine(place.url.replace(system, driver, 1))
    with engine.connect() as holder:
        hold = "LOCK TABLE orders IN ACCESS EXCLUSIVE MODE" if system == "postgresql" else "LOCK TABLES orders WRITE"
        holder.exec_driver_sql(hold)
        assert "is held by another program" in sentence_of(lambda: place.rows("orders"))
    engine.dispose()
