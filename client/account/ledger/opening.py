"""Open the accounts of a policy, in a ledger that is made where there is none."""

from __future__ import annotations

from contextlib import closing

from client.account.ledger.ledger import Ledger, create_ledger, now_utc
from client.account.policy import Policy
from client.folder import MerchantFolder
from common.plan.schema import Unit


def open_accounts(home: MerchantFolder, policy: Policy) -> dict[Unit, float]:
    """Open those that are not open yet, and give delta by the unit of each.

    Raises
    ------
    PrivacyError
        The ledger cannot be made or used.
    """
    if not home.ledger.exists():
        create_ledger(home.ledger)
    opened = dict[Unit, float]()
    with closing(Ledger(home.ledger)) as ledger:
        known = {(account.dataset, account.unit) for account in ledger.accounts}
        for unit, budget in policy.budgets.items():
            if (policy.dataset, unit) not in known:
                ledger.open_account(policy.dataset, unit, delta=budget.delta, at=now_utc())
                opened[unit] = budget.delta
    return opened
