"""What joining was worth as stock, in a shop owner's words."""

from __future__ import annotations

from client.decision.stock.frontier import Saving
from client.decision.stock.horizon import Joining


def say_joining(joining: Joining) -> str:
    """Say what joining saved, with its interval, or why nothing can be told."""
    share = f"{joining.fill_rate:.0%}".replace("%", " %")
    if joining.saving is None:
        return f"What joining is worth as stock cannot be told: {joining.reason}."
    saving, days = joining.saving, joining.points[joining.method].stock_days
    ordered = f"ordering every {joining.rhythm.review_days} days, {joining.rhythm.lead_days} days on the way"
    before = joining.points[joining.against].stock_days
    shelf = f"{days:.1f} days of sales on the shelf instead of {before:.1f} with {joining.against}"
    if not joining.currency:
        return (
            f"As stock, serving {share} of demand from the shelf ({ordered}), joining takes {shelf}: "
            f"{_say_share(saving)}. With --price and --currency it is said in money."
        )
    return (
        f"As stock, serving {share} of demand from the shelf ({ordered}), {_say_money(saving, joining.currency)}: "
        f"{shelf}."
    )


def _say_money(saving: Saving, currency: str) -> str:
    verb = "would have saved" if saving.amount >= 0 else "would have cost"
    said = f"joining {verb} about {abs(saving.amount):,.0f} {currency} a month"
    if saving.low is None or saving.high is None:
        return f"{said} (too few products to say how sure that is)"
    return (
        f"{said} (95 % interval {saving.low:+,.0f} to {saving.high:+,.0f}, "
        f"{'clearly less' if saving.low > 0 else 'clearly more' if saving.high < 0 else 'so it may be nothing'})"
    )


def _say_share(saving: Saving) -> str:
    less = "less" if saving.stock_share >= 0 else "more"
    said = f"{abs(saving.stock_share):.1%} {less} stock".replace("%", " %")
    if saving.stock_low is None or saving.stock_high is None:
        return f"{said}, with too few products to say how sure that is"
    ends = f"{saving.stock_low:+.1%} to {saving.stock_high:+.1%} less".replace("%", " %")
    unclear = saving.stock_low <= 0 <= saving.stock_high
    return f"{said} (95 % interval {ends}{', so it may be nothing' if unclear else ''})"
