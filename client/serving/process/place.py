"""Where the server listens, and by which names it may be asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509

from certs.authority import read_certificate
from common.command.page import is_own_host
from common.disk.reading import read_file
from common.errors import ConfigError

CERTIFICATE, KEY = "server.pem", "server.key"


@dataclass(frozen=True)
class Place:
    """Where the server listens.

    Attributes
    ----------
    names
        By which it may be asked beside loopback's own: those of its certificate.
    tls
        Folder with server.pem and server.key; None on loopback.
    """

    host: str
    port: int
    grpc_port: int
    names: frozenset[str] = frozenset()
    tls: Path | None = None

    @property
    def scheme(self) -> str:
        """How it is asked."""
        return "http" if self.tls is None else "https"

    @property
    def address(self) -> str:
        """Where it is asked."""
        name = min(self.names) if self.names and _is_every(self.host) else self.host
        host = f"[{name}]" if ":" in name else name
        return f"{self.scheme}://{host}:{self.port}"

    def is_own(self, hosts: Sequence[str]) -> bool:
        """Whether the Host headers of a request are exactly one, and name this server at any port."""
        if is_own_host(hosts):
            return True
        return len(hosts) == 1 and _name_in(hosts[0]) in self.names


def find_place(host: str, port: int, grpc_port: int, tls: Path | None) -> Place:
    """Judge where to listen.

    Raises
    ------
    ConfigError
        It is not loopback and there is no TLS, or its files cannot be used.
    """
    if tls is None:
        if not _is_loopback(host):
            raise ConfigError(
                f"--host {host} can be reached from other machines, where a token must not travel in the clear; give "
                "--tls FOLDER with server.pem and server.key, or leave --host out."
            )
        return Place(host, port, grpc_port)
    return Place(host, port, grpc_port, _read_names(tls), tls)


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _is_every(host: str) -> bool:
    """Whether it stands for every address of the machine, and so is none to ask."""
    try:
        return ip_address(host or "0.0.0.0").is_unspecified  # noqa: S104  compared, not bound
    except ValueError:
        return False


def _read_names(folder: Path) -> frozenset[str]:
    for name in (CERTIFICATE, KEY):
        if not (folder / name).is_file():
            raise ConfigError(f"There is no {folder / name}; --tls names a folder with {CERTIFICATE} and {KEY}.")
    certificate = read_certificate(read_file(folder / CERTIFICATE), origin=str(folder / CERTIFICATE))
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound as error:
        raise ConfigError(
            f"{folder / CERTIFICATE} names no host; have one made for the name of this machine."
        ) from error
    addresses = (str(address) for address in found.get_values_for_type(x509.IPAddress))
    return frozenset(name.lower() for name in (*found.get_values_for_type(x509.DNSName), *addresses))


def _name_in(host: str) -> str:
    """Give the name in a Host header, without its port and the brackets of IPv6."""
    name, colon, port = host.rpartition(":")
    bare = name if colon and port.isdecimal() else host
    return bare.lower().removeprefix("[").removesuffix("]")
