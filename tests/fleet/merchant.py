"""A merchant's own end without a process or a network: its folder, its ledger, and what decides about messages."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import torch
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from certs.key import NODE_CURVE, read_or_make_curve_key
from certs.request import Welcome
from client.account.ledger.ledger import Ledger, create_ledger, now_utc
from client.daemon.handlers import Handlers
from client.daemon.membership import JoinedFederation
from client.folder import MerchantFolder
from common.message.signature import name_key, public_bytes
from fleet.shop import POLICY, write_rows

SIZE_CLASS = 32


@contextmanager
def open_merchant(folder: Path, name: str, *, key: Ed25519PrivateKey, seed: int = 0) -> Iterator[Handlers]:
    """Lay out a merchant that approves one coordinator, by its key."""
    folder.mkdir(exist_ok=True)
    (folder / "policy.toml").write_text(POLICY.replace("{coordinators}", f'"{name_key(public_bytes(key))}"'))
    write_rows(folder / "rows.csv", seed=seed, num_customers=6)
    create_ledger(folder / "ledger.sqlite")
    with closing(Ledger(folder / "ledger.sqlite")) as ledger:
        ledger.open_account("shop", "customer", delta=1e-5, at=now_utc())
    read_or_make_curve_key(folder / "node.key", NODE_CURVE)
    with open_again(folder, name, key=key) as handlers:
        yield handlers


@contextmanager
def open_again(folder: Path, name: str = "shop", *, key: Ed25519PrivateKey) -> Iterator[Handlers]:
    """Open what decides in a merchant's folder, as another start of its daemon would."""
    welcome = Welcome(
        federation="hanse",
        name=name,
        address="localhost:1",
        authority="",
        certificate="",
        coordinator=public_bytes(key).hex(),
    )
    federation = JoinedFederation(welcome=welcome, size_class=SIZE_CLASS)
    with closing(Ledger(folder / "ledger.sqlite")) as ledger:
        yield Handlers(MerchantFolder(folder), federation, ledger, data_root=folder, device=torch.device("cpu"))
