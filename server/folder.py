"""Where a coordinator's files are, and what it decided when it made the federation."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated

import typer
from pydantic import AfterValidator, Field

from certs.request import Name
from common.disk.reading import read_file_text
from common.errors import ConfigError
from common.plan.reading import parse_toml
from common.plan.schema import Count, Document

PlaceOption = Annotated[Path, typer.Option("--folder", help="The federation's folder.")]
Port = Annotated[int, Field(ge=1, le=65535)]
HOST_PATTERN = r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"  # one label of a name; a certificate holds no other
LONGEST_HOST = 253


def check_host(host: str) -> str:
    """Refuse what a certificate cannot name, or a merchant cannot dial.

    Raises
    ------
    ValueError
        It is neither a name nor an address.
    """
    try:
        return str(ip_address(host.strip("[]")))
    except ValueError:
        pass
    labels = host.split(".")
    if len(host) > LONGEST_HOST or not all(re.fullmatch(HOST_PATTERN, label) for label in labels):
        raise ValueError(
            f"{host!r} is no host; give an address, or a name of up to {LONGEST_HOST} letters, digits, hyphens and dots"
        )
    return host


Host = Annotated[str, AfterValidator(check_host)]


class Settings(Document):
    """What `hansa-server init` writes down.

    Attributes
    ----------
    hosts
        Names and addresses under which merchants reach the gateway; the first stands in every welcome.
    gateway_port
        Open to merchants.
    superlink_port, status_port
        On loopback alone.
    requests_per_second
        Most that one merchant may ask of the gateway, on average.
    requests_at_once, connections_per_member
        Most that one merchant may have under way, and open.
    unshaken_per_address
        Connections of one address that have not shaken hands; of a newer one the oldest gives way.
    body_megabytes
        Memory for what merchants send and fetch, all together; one merchant takes at most 40.
    """

    name: Name
    hosts: tuple[Host, ...] = Field(min_length=1)
    bind: str = "0.0.0.0"  # noqa: S104  merchants come from outside
    gateway_port: Port = 8443
    superlink_port: Port = 8444
    status_port: Port = 8445
    requests_per_second: Count = 200
    requests_at_once: Count = 8
    connections_per_member: Count = 16
    unshaken_per_address: Count = 1024
    body_megabytes: Annotated[int, Field(ge=64)] = 512

    @property
    def address(self) -> str:
        """What merchants dial."""
        host = f"[{self.hosts[0]}]" if ":" in self.hosts[0] else self.hosts[0]
        return f"{host}:{self.gateway_port}"


@dataclass(frozen=True)
class CoordinatorFolder:
    """The folder that a coordinator owns."""

    folder: Path

    @property
    def settings_file(self) -> Path:
        """Name, addresses and ports."""
        return self.folder / "federation.toml"

    @property
    def authority(self) -> Path:
        """Folder of the certificate authority, and of the server's own key and certificate."""
        return self.folder / "certs"

    @property
    def signing_key(self) -> Path:
        """What signs plans and models."""
        return self.folder / "signing.key"

    @property
    def next_signing_key(self) -> Path:
        """What is to follow the signing key, while it is being rotated."""
        return self.folder / "signing.next.key"

    @property
    def next_authority(self) -> Path:
        """Folder of the authority that is to follow, while it is being rotated."""
        return self.authority / "next"

    @property
    def secret(self) -> Path:
        """What our process shows the SuperLink before it may take a task."""
        return self.folder / "superexec.secret"

    @property
    def registry(self) -> Path:
        """Members, launches, models."""
        return self.folder / "registry.sqlite"

    @property
    def superlink_state(self) -> Path:
        """Flower's database, of versions that had one: nothing reads it."""
        return self.folder / "superlink.sqlite"

    @property
    def seen(self) -> Path:
        """When the gateway last let each member through."""
        return self.folder / "seen.json"

    @property
    def welcomes(self) -> Path:
        """What the page wrote for members that it let in."""
        return self.folder / "welcomes"

    @property
    def logs(self) -> Path:
        """What each process says."""
        return self.folder / "logs"

    @property
    def models(self) -> Path:
        """Released models."""
        return self.folder / "models"

    @property
    def launches(self) -> Path:
        """A folder for each launch."""
        return self.folder / "launches"

    @property
    def flower(self) -> Path:
        """What Flower keeps for itself."""
        return self.folder / "flwr"

    def launch(self, number: int) -> Path:
        """Checkpoint and journal of one launch."""
        return self.launches / f"{number:04d}"

    def read_settings(self) -> Settings:
        """Read what `init` wrote (docs/protocol.md §8.1).

        Raises
        ------
        ConfigError
            There is no federation in the folder, or its file is not legal.
        """
        path = self.settings_file
        try:
            text = read_file_text(path)
        except FileNotFoundError as error:
            raise ConfigError(
                f"There is no federation in {self.folder.resolve()}; make one with: hansa-server init"
            ) from error
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"Cannot read {path}: {error}.") from error
        return parse_toml(text, Settings, origin=str(path))
