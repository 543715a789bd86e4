"""The privacy budget as a picture: what is spent, what is left, and what that means in words."""

from __future__ import annotations

import math
from contextlib import closing
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from client.folder import MerchantFolder
from client.language.speech import t
from common.errors import HansaError


def show_privacy(folder: Path, zone: ZoneInfo) -> dict[str, Any]:
    """Show every account of the ledger, days by the shop's clock; none where nothing was ever spent."""
    home = MerchantFolder(folder)
    if not home.ledger.exists():
        return {"accounts": [], "trouble": ""}
    try:
        return {"accounts": _read_accounts(home, zone), "trouble": ""}
    except HansaError as error:
        return {"accounts": [], "trouble": str(error)}


def _read_accounts(home: MerchantFolder, zone: ZoneInfo) -> list[dict[str, Any]]:
    from client.account.ledger.ledger import Ledger
    from client.account.policy import read_policy

    budgets = read_policy(home.policy).budgets if home.policy.exists() else {}
    with closing(Ledger(home.ledger)) as ledger:
        return [_show_account(account, budgets.get(account.unit), zone) for account in ledger.accounts]


def _show_account(account: Any, budget: Any, zone: ZoneInfo) -> dict[str, Any]:
    from client.account.ledger.picture import curve_of, draw_curve

    points = curve_of(account)
    spent = points[-1].epsilon if points else 0.0
    share = min(spent / budget.epsilon, 1.0) if budget and math.isfinite(spent) else None
    return {
        "dataset": account.dataset,
        "unit": t(account.unit),
        "spent": spent,
        "is_bounded": math.isfinite(spent),
        "budget": budget.epsilon if budget else None,
        "share": share,
        "rounds": len(account.spends),
        "picture": draw_curve(account, budget) if points else "",
        "points": [{"day": point.at.astimezone(zone).date(), "epsilon": point.epsilon} for point in points],
        "meaning": _say_meaning(spent, account.unit),
        "both": _say_both(account) if account.is_shared else "",
    }


def _say_both(account: Any) -> str:
    """Say what the number rests on where other merchants' noise is part of it."""
    from client.account.assumption import assumption_of, explain_assumption

    epsilons = account.guarantee().epsilon, account.guarantee_alone().epsilon
    return t("In full: {both}.", both=explain_assumption(*epsilons, assumption_of(account.spends)))


def _say_meaning(epsilon: float, unit: str) -> str:
    """Say what an epsilon allows someone to conclude: odds change by at most its exponential."""
    if not math.isfinite(epsilon):
        return t("Something left without noise, so nothing is promised to one {unit} any more.", unit=t(unit))
    if epsilon == 0:
        return t("Nothing of any one {unit} has left.", unit=t(unit))
    return t(
        "Whoever saw all that left can tell whether one {unit} was in it hardly better than by chance: of two equal "
        "guesses at most {share:.0%} come true.",
        unit=t(unit),
        share=1.0 / (1.0 + math.exp(-epsilon)),
    )
