"""`hansa-client run`: the daemon."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from client.folder import MerchantFolder, PlaceOption
from common.command.app import DataRootOption, DeviceOption
from common.disk.lock import hold

if TYPE_CHECKING:
    from client.daemon.loop import Daemon
    from client.daemon.membership import Membership
    from client.daemon.merchant import JoinedMerchant

CUT_SHORT = (
    "The daemon before this one was killed. If it was for want of memory, the system's log says so: give it more. A "
    "round that it was charged for and did not answer is answered when it is asked for again."
)


def run(
    data_root: DataRootOption = Path(),
    device: DeviceOption = "auto",
    threads: Annotated[int, typer.Option(min=0, help="Cores that a round may use; 0 leaves it to PyTorch.")] = 0,
    health_port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Show health at this port of 127.0.0.1.")
    ] = None,
    until_idle: Annotated[
        float | None, typer.Option(min=0, help="Stop after so many seconds without a message; never if left out.")
    ] = None,
    rest_after: Annotated[
        float, typer.Option(min=0, help="With no plan under way, give memory back after so many idle seconds.")
    ] = 600.0,
    folder: PlaceOption = Path(),
    as_json: Annotated[bool, typer.Option("--json", help="Log JSON, one object a line.")] = False,
) -> None:
    """Stay connected, and answer rounds.

    To the federation that was joined, as the policy allows, until Ctrl-C or SIGTERM; then exit code 0.
    """
    from client.account.ledger.ledger import Ledger  # heavy, as is what follows
    from client.account.policy import read_policy
    from client.daemon.membership import read_membership, require_size_class
    from client.daemon.merchant import JoinedMerchant

    home = MerchantFolder(folder)
    start_logging(as_json=as_json)
    _require_device(device)
    membership = read_membership(home)
    require_size_class(read_policy(home.policy), membership.federation)
    with holding(home), closing(Ledger(home.ledger)) as ledger:
        merchant = JoinedMerchant(home, membership.federation, ledger, data_root.resolve(), device, threads)
        is_resting = _serve(membership, merchant, health_port=health_port, until_idle=until_idle, rest_after=rest_after)
    if is_resting:
        sys.stderr.flush()
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606  this very command again


def _serve(
    membership: Membership,
    merchant: JoinedMerchant,
    *,
    health_port: int | None,
    until_idle: float | None,
    rest_after: float,
) -> bool:
    from client.daemon.gateway_client import GatewayClient
    from client.daemon.health import Health, read_node_id, serving, was_cut_short
    from client.daemon.loop import Daemon

    federation, path = membership.federation, merchant.home.health
    node_id = read_node_id(path)
    if was_cut_short(path):
        logging.getLogger(__name__).warning(CUT_SHORT)
    health = Health(path)
    gateway = GatewayClient(federation.welcome.address, membership.node_key, membership.context, node_id=node_id)
    with closing(gateway), serving(health, health_port):
        daemon = Daemon(gateway, merchant, health, idle_seconds=until_idle, rest_seconds=rest_after)
        with _stopped_by_signals(daemon):
            return daemon.run()


def _require_device(name: str) -> None:
    """Refuse a device that is not there; a GPU is looked for by another process, so that this one has no PyTorch."""
    if name in ("auto", "cpu") or (name == "cuda" and _finds_gpu()):
        return
    from common.machine.device import choose_device

    choose_device(name)  # says what is wrong


def _finds_gpu() -> bool:
    look = [sys.executable, "-P", "-c", "from common.machine.device import choose_device; choose_device('cuda')"]
    return subprocess.run(look, capture_output=True, check=False).returncode == 0  # noqa: S603  our own words


@contextmanager
def _stopped_by_signals(daemon: Daemon) -> Iterator[None]:
    """End the loop after the answer in hand on SIGTERM and Ctrl-C; afterwards they do what they did before."""
    numbers = (signal.SIGTERM, signal.SIGINT)
    before = [signal.signal(number, lambda *_: daemon.stop()) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


@contextmanager
def holding(home: MerchantFolder) -> Iterator[None]:
    """Be the only daemon of a folder while inside.

    Raises
    ------
    ConfigError
        Another one is, or the folder cannot be written.
    """
    taken = f"Another hansa-client run works on {home.folder.resolve()}; stop it, or choose another --folder."
    lock = hold(home.lock, taken=taken)
    try:
        yield
    finally:
        lock.release()


def start_logging(*, as_json: bool) -> None:
    """Write log lines to standard error: a sentence and key=value, or one JSON object a line."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonFormatter() if as_json else _LineFormatter())
    logging.raiseExceptions = False  # a full disk under the log is no reason for a traceback
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    for name in ("flwr", "httpx", "httpcore"):
        logging.getLogger(name).setLevel(logging.WARNING)


class _LineFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return f"{_time_of(record)} {record.levelname.lower()} {record.getMessage()}"


class _JsonFormatter(logging.Formatter):
    """Neither formatter writes a traceback: it would quote what a variable held."""

    def format(self, record: logging.LogRecord) -> str:
        said = {"at": _time_of(record), "level": record.levelname.lower(), "message": record.getMessage()}
        return json.dumps(said)


def _time_of(record: logging.LogRecord) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(record.created))
