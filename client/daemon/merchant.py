"""A merchant of a federation, while it waits: all that its messages are answered from, and when that is needed.

Notable here: nothing of this imports PyTorch, pandas or Opacus. A daemon that waits has none of them; they come with
the first message, and go with the process that goes on as a fresh one (`client.daemon.loop`).
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from client.account.ledger.entry import Spend
from client.account.ledger.ledger import Ledger
from client.account.policy import read_policy
from client.daemon.membership import JoinedFederation, read_federation, read_membership, require_size_class
from client.daemon.proposal_store import ProposalStore
from client.folder import MerchantFolder
from common.errors import HansaError

if TYPE_CHECKING:
    from flwr.clientapp import ClientApp

    from client.daemon.handlers import Handlers

AWAITED_SECONDS = 86400.0  # after which a plan that nothing was heard of is not waited for: it was given up, or sleeps


@dataclass(frozen=True)
class JoinedMerchant:
    """A merchant of a federation, with all that its messages are answered from.

    Attributes
    ----------
    data_root
        Folder that a plan's data.path starts from.
    device
        Where gradients are computed: auto, cpu or cuda.
    threads
        Cores that a round may use; 0 leaves it to PyTorch.
    """

    home: MerchantFolder
    federation: JoinedFederation
    ledger: Ledger
    data_root: Path
    device: str = "auto"
    threads: int = 0

    def is_changed(self) -> bool:
        """Whether a later welcome was kept than the one that this merchant speaks by, and can be used.

        Where it cannot, as between its two files, or with another size class than the policy's, the daemon goes on with
        what it has.
        """
        try:
            if read_federation(self.home) == self.federation:
                return False
            require_size_class(read_policy(self.home.policy), read_membership(self.home).federation)
        except HansaError:
            return False
        return True

    def is_awaited(self) -> bool:
        """Whether an accepted plan has rounds left and was heard of lately, so that a message may come soon."""
        archive = ProposalStore(self.home.plans, *self.federation.lineage.keys)
        return any(self._has_rounds_left(archive, path) for path in archive.proposals)

    def _has_rounds_left(self, archive: ProposalStore, path: Path) -> bool:
        try:
            proposed, entries = archive.read_proposal(path).proposal, self.ledger.entries
            heard = path.stat().st_mtime
        except (HansaError, OSError):
            return False  # the handlers say what is wrong with it
        spends = [entry for entry in entries if isinstance(entry, Spend) and entry.plan_hash == proposed.run_hash]
        heard = max([heard, *(spend.at.timestamp() for spend in spends)])
        charged = max((spend.round_number for spend in spends), default=0)
        has_left = charged < proposed.plan.training(private=proposed.private).num_rounds
        return has_left and time.time() - heard < AWAITED_SECONDS

    def can_start_anew(self) -> bool:
        """Whether a fresh process would find policy and ledger in order; else it would end instead of waiting."""
        try:
            require_size_class(read_policy(self.home.policy), self.federation)
            Ledger(self.home.ledger).close()
        except HansaError:
            return False
        return True

    def open_handlers(self) -> tuple[Handlers, ClientApp]:
        """Make what answers. What it imports takes 150 MB and seconds: no daemon has it before it must."""
        import torch

        from client.daemon.handlers import Handlers, make_handler_app
        from common.machine.device import choose_device

        if self.threads:
            torch.set_num_threads(self.threads)
        device = choose_device(self.device)
        handlers = Handlers(self.home, self.federation, self.ledger, data_root=self.data_root, device=device)
        handlers.resume()
        return handlers, make_handler_app(handlers)
