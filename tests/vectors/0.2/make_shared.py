"""Make the ledger with shared noise of this folder, once, with the first code that wrote it; it is never made again.

PYTHONPATH=$PWD python tests/vectors/0.2/make_shared.py
"""

from __future__ import annotations

import json
import shutil
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from client.account.ledger.agreements import LedgerAgreements
from client.account.ledger.entry import Spend
from client.account.ledger.ledger import Ledger, create_ledger
from client.account.peer_book import note_roster
from client.account.policy import read_policy
from common.message.proposal import Proposal
from common.message.signature import public_bytes
from common.plan.reading import read_plan
from common.secure_sum.roster import Peer

HERE = Path(__file__).parent / "shared"
FIRST = HERE.parents[1] / "0.1"
AT = datetime(2026, 11, 30, 12, tzinfo=UTC)
SUM = '[privacy]\ntrust = "sum"\nsum = { threshold = 4, colluders = 1, noise_multiplier = 14.0 }\n'
POLICY = """
[sum]
smallest_cohort = 5
verified_peers = 0
colluders = 1
epsilon_if_all_collude = 20.0
peers = []
"""


def main() -> None:
    shutil.rmtree(HERE, ignore_errors=True)
    HERE.mkdir()
    text = (FIRST / "plans" / "vector.toml").read_text()
    (HERE / "plan.toml").write_text(text.replace("[privacy]\n", SUM))
    (HERE / "policy.toml").write_text((FIRST / "merchant" / "policy.toml").read_text() + POLICY)
    plan, policy = read_plan(HERE / "plan.toml"), read_policy(HERE / "policy.toml")
    keys = [public_bytes(Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32)) for seed in range(1, 6)]
    roster = tuple(Peer(name=f"shop{place}", key=key.hex(), size_class=32) for place, key in enumerate(keys))
    proposal = Proposal(plan=plan, private=True, cohort_size=5, quorum=4, roster=roster)
    (HERE / "proposal.json").write_bytes(proposal.to_bytes())
    session = proposal.sessions[0].hash
    note_roster(HERE / "peers.json", proposal, at=AT)
    create_ledger(HERE / "ledger.sqlite")
    with closing(Ledger(HERE / "ledger.sqlite")) as ledger:
        ledger.open_account(policy.dataset, policy.unit, delta=policy.budget.delta, at=AT)
        for number, shared in ((1, False), (1, True), (2, True)):
            spend = Spend(
                at=AT,
                dataset=policy.dataset,
                unit=policy.unit,
                units_per_customer=None,
                coordinator="c" * 64,
                plan=plan.name,
                plan_hash=proposal.run_hash if shared else "a" * 64,
                round_number=number,
                model_hash=f"{number}" * 64,
                clipping_norm=1.0,
                noise_multiplier=8.0,
                num_coordinates=100,
                noise_share=3 if shared else None,
                session=session if shared else None,
                colluders=1 if shared else None,
                num_members=5 if shared else None,
            )
            line = ledger.reserve(spend, policy.budgets, ceilings=policy.ceilings)
            ledger.seal(line, f"message {line}".encode(), at=AT)
        survivors = [peer.name for peer in roster[:4]]
        LedgerAgreements(ledger, clock=lambda: AT).note(session, 1, "1" * 64, survivors)
        accounts = [(account.mu_squared(), account.mu_squared_alone()) for account in ledger.accounts]
        ledger._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    said = {
        "plan_hash": plan.hash,
        "run_hash": proposal.run_hash,
        "session": session,
        "mu_squared": accounts[0][0],
        "mu_squared_alone": accounts[0][1],
    }
    (HERE / "said.json").write_text(json.dumps(said, indent=1) + "\n")


if __name__ == "__main__":
    main()
