"""Make a federation's folder: nothing is written before everything that was asked for has been checked."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from certs.authority import Authority, make_authority
from certs.key import TLS_CURVE, read_or_make_curve_key, read_or_make_signing_key
from common.disk.file import write_whole
from common.errors import ConfigError
from server.folder import CoordinatorFolder, Settings

SETTINGS = """\
# What `hansa-server up` serves; read when it starts.
name = "{name}"
hosts = [{hosts}]               # under which merchants reach the gateway; the certificate names them
bind = "{bind}"
gateway_port = {gateway_port}
superlink_port = {superlink_port}                # loopback alone
status_port = {status_port}                   # loopback alone
requests_per_second = {requests_per_second}              # of one merchant, on average
# What few could take from all is bounded; these are the bounds where nothing is said. Take the # away to change one.
# requests_at_once = {requests_at_once}                   # of one merchant
# connections_per_member = {connections_per_member}
# unshaken_per_address = {unshaken_per_address}             # connections that have not shaken hands
# body_megabytes = {body_megabytes}                   # memory for what merchants send and fetch, all together
"""
IGNORED = "# Keys, and what merchants sent: none of it belongs into a repository.\n*\n"


def check_settings(**values: Any) -> Settings:
    """Check what a federation is to be called, and where it is to be reached.

    Raises
    ------
    ConfigError
        A value is not legal.
    """
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        fault = error.errors()[0]
        if "hosts" in fault["loc"]:
            raise ConfigError(f"{fault['msg'].removeprefix('Value error, ')}.") from error
        raise ConfigError(
            f"{values['name']!r} is no name of a federation; use up to 63 lower-case letters, digits and hyphens."
        ) from error


def make_federation(home: CoordinatorFolder, settings: Settings) -> bool:
    """Make authority, server certificate, signing key and settings; whether git was told to ignore them.

    Raises
    ------
    ConfigError
        There is a federation already, or the folder cannot be written.
    """
    folder = home.folder
    if home.settings_file.exists():
        raise ConfigError(f"There is a federation in {folder.resolve()} already; choose another --folder.")
    hosts = ", ".join(f'"{host}"' for host in settings.hosts)
    try:
        home.authority.mkdir(parents=True, exist_ok=True, mode=0o700)
        is_ignored = _keep_out_of_git(folder)
        _make_keys(home, settings)
        home.settings_file.write_text(SETTINGS.format(**dict(settings) | {"hosts": hosts}))
    except OSError as error:
        raise ConfigError(f"Cannot write in {folder}: {error.strerror}; choose a --folder of your own.") from error
    return is_ignored


def sign_server(home: CoordinatorFolder, authority: Authority, hosts: Sequence[str]) -> None:
    """Sign the server's certificate for these hosts, over an older one."""
    key = read_or_make_curve_key(home.authority / "server.key", TLS_CURVE)
    names = dict.fromkeys((*hosts, "127.0.0.1"))  # the SuperLink shows it too, on loopback
    write_whole(home.authority / "server.pem", authority.sign_server(list(names), key.public_key()))


def _make_keys(home: CoordinatorFolder, settings: Settings) -> None:
    authority = make_authority(home.authority, settings.name)
    sign_server(home, authority, settings.hosts)
    read_or_make_signing_key(home.signing_key)
    home.secret.touch(mode=0o600)
    home.secret.write_bytes(secrets.token_bytes(32))


def _keep_out_of_git(folder: Path) -> bool:
    """Ignore everything in a folder of our own; whether that is so. A .gitignore that is there is somebody else's."""
    path = folder / ".gitignore"
    try:
        with path.open("x") as file:
            file.write(IGNORED)
    except FileExistsError:
        return path.read_bytes() == IGNORED.encode()
    return True
