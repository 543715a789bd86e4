"""Where a database is: a URL without a password, and where the password comes from.

A password is never in a URL, hence never in shop.toml, in a message or in a shell's history. It comes from an
environment variable that the URL names in its place, `postgresql://reader:${SHOP_PASSWORD}@host/shop`, or from where
the database's own programs look: `~/.pgpass` for PostgreSQL, an option file (`?read_default_file=~/.my.cnf`) for
MariaDB and MySQL.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from common.errors import ConfigError

System = Literal["postgresql", "mariadb", "sqlite"]
SYSTEMS: Final[dict[str, System]] = {
    "postgresql": "postgresql",
    "postgresql+psycopg": "postgresql",
    "postgres": "postgresql",
    "mariadb": "mariadb",
    "mariadb+pymysql": "mariadb",
    "mysql": "mariadb",
    "mysql+pymysql": "mariadb",
    "sqlite": "sqlite",
}
FILES: Final = frozenset({"sslrootcert", "sslcert", "sslkey", "passfile", "read_default_file", "ssl_ca", "ssl_cert"})
OPTIONS: Final[dict[System, tuple[str, ...]]] = {
    "postgresql": ("host", "service", "sslmode", "sslrootcert", "sslcert", "sslkey", "passfile", "connect_timeout"),
    "mariadb": ("unix_socket", "read_default_file", "ssl_ca", "ssl_cert", "ssl_key", "connect_timeout"),
    "sqlite": ("timeout",),
}
SCHEME: Final = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]*)://")
NAMED: Final = re.compile(r"^\$\{([A-Za-z_][A-Za-z0-9_]*)\}$")
WRITTEN: Final = re.compile(r"pass(word|wd)?\s*=|pwd\s*=|secret\s*=|token\s*=", re.IGNORECASE)
SQLITE_BEGINS: Final = b"SQLite format 3\x00"


@dataclass(frozen=True)
class Address:
    """A database and how to get in.

    Attributes
    ----------
    place
        For messages; holds no password. Of SQLite, its file.
    """

    system: System
    place: str
    user: str | None = None
    host: str | None = None
    port: int | None = None
    database: str | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    password: str | None = field(default=None, repr=False)


def is_sqlite(path: Path) -> bool:
    """Whether a file is an SQLite database, by its first bytes."""
    try:
        with path.open("rb") as file:
            return file.read(len(SQLITE_BEGINS)) == SQLITE_BEGINS
    except OSError:
        return False


def read_address(location: str, folder: Path) -> Address:
    """Read the URL of a database, or the path of an SQLite file relative to `folder`.

    Raises
    ------
    ConfigError
        It is no URL of a database that can be read, holds a password, or names a variable that is not set.
    """
    found = SCHEME.match(location)
    if found is None:
        return _sqlite_address(location, {}, folder)
    scheme = found[1].lower()
    if scheme not in SYSTEMS:
        raise ConfigError(
            f"{scheme}:// is no database that can be read; there are postgresql://, mariadb://, mysql:// and sqlite://."
        )
    try:
        url = make_url(location)
    except (ArgumentError, ValueError) as error:  # neither says where; and the text may hold a password
        raise ConfigError(
            f"The URL that begins with {scheme}:// cannot be read; write it as {_example(scheme)}."
        ) from error
    system = SYSTEMS[scheme]
    _refuse_passwords(url, location, scheme)
    options = _read_options(url, system, scheme)
    if system == "sqlite":
        return _sqlite_address(url.database or "", options, folder)
    if system == "mariadb" and not url.database:
        raise ConfigError(f"The URL {_place(url, scheme)} names no database; write it as {_example(scheme)}.")
    password = _read_password(url.password, _place(url, scheme))
    return Address(
        system=system,
        place=_place(url, scheme),
        user=url.username,
        host=url.host,
        port=url.port,
        database=url.database,
        options=options,
        password=password,
    )


def _refuse_passwords(url: URL, location: str, scheme: str) -> None:
    literal = bool(url.password) and NAMED.match(str(url.password)) is None
    if literal or WRITTEN.search(location):
        raise ConfigError(
            f"A password stands in the URL that begins with {scheme}://, where it would be kept for all to read; put it"
            f" into an environment variable and write its name in single quotes, as '{_example(scheme)}'."
        )


def _read_options(url: URL, system: System, scheme: str) -> dict[str, str]:
    """Take what is legal after the question mark: some options of a driver could run statements or hold passwords."""
    for name in url.query:
        if name not in OPTIONS[system]:
            raise ConfigError(
                f"The URL {_place(url, scheme)} has the option {name!r}, which is none of {', '.join(OPTIONS[system])}."
            )
    options = {name: value if isinstance(value, str) else value[-1] for name, value in url.query.items()}
    return {name: str(Path(value).expanduser()) if name in FILES else value for name, value in options.items()}


def _read_password(written: str | None, place: str) -> str | None:
    named = NAMED.match(written or "")
    if named is None:
        return None
    password = os.environ.get(named[1])
    if password is None:
        raise ConfigError(
            f"The URL {place} takes its password from the environment variable {named[1]}, which is not set; set it,"
            f" as with: read -rs {named[1]} && export {named[1]}"
        )
    return password


def _sqlite_address(name: str, options: dict[str, str], folder: Path) -> Address:
    path = folder / Path(name).expanduser()
    if name in ("", ":memory:"):
        raise ConfigError("The URL names no file; write it as sqlite:///shop.sqlite.")
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "does not exist"
        raise ConfigError(f"The SQLite database {path} {what}; give the path of its file.")
    if "timeout" in options and not re.fullmatch(r"\d+(\.\d+)?", options["timeout"]):
        raise ConfigError(f"timeout of the SQLite database {path} is no number of seconds; write it as ?timeout=5.")
    return Address(system="sqlite", place=str(path), options=options)


def _place(url: URL, scheme: str) -> str:
    who = f"{url.username}@" if url.username else ""
    port = f":{url.port}" if url.port else ""
    return f"{scheme}://{who}{url.host or ''}{port}/{url.database or ''}"


def _example(scheme: str) -> str:
    return "sqlite:///shop.sqlite" if scheme == "sqlite" else f"{scheme}://reader:${{SHOP_PASSWORD}}@host/shop"
