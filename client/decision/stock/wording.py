"""What joining was worth as stock, in a shop owner's words."""

from __future__ import annotations

from client.decision.stock.frontier import Saving
from client.decision.stock.horizon import Joining
from client.decision.stock.terms import ASKED, SHOP, USUAL, StockTerms
from client.decision.stock.walk import Rhythm
from common.forecast.gain import say_share
from common.plan.schema import ModelPlan


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
        f"{said} (95 % interval {say_amount(saving.low)} to {say_amount(saving.high)}, "
        f"{'clearly less' if saving.low > 0 else 'clearly more' if saving.high < 0 else 'so it may be nothing'})"
    )


def say_amount(amount: float) -> str:
    """Write money with its sign: whole, or with the cents that it takes not to read as nothing."""
    written = (f"{amount:+,.{digits}f}" for digits in (0, 2))
    return next((text for text in written if text.strip("+-0.,")), "0")


def _say_share(saving: Saving) -> str:
    less = "less" if saving.stock_share >= 0 else "more"
    said = f"{say_share(abs(saving.stock_share))} {less} stock".replace("%", " %")
    if saving.stock_low is None or saving.stock_high is None:
        return f"{said}, with too few products to say how sure that is"
    low, high = (say_share(end, signed=True).replace("%", " %") for end in (saving.stock_low, saving.stock_high))
    unclear = saving.stock_low <= 0 <= saving.stock_high
    return f"{said} (95 % interval {low} to {high} less{', so it may be nothing' if unclear else ''})"


def say_too_short(model: ModelPlan, rhythm: Rhythm) -> str:
    """Say why joining is not spoken of as stock."""
    if model.bucket_days != 1:
        why = f"the model forecasts {model.bucket_days} days as one"
    else:
        why = (
            f"the model forecasts {model.horizon_days} days, too few for two orders with {rhythm.lead_days} days on "
            f"the way and {rhythm.review_days} between them"
        )
    return f"What joining is worth as stock cannot be told: {why}."


def say_terms(terms: StockTerms) -> list[str]:
    """Say what joining was reckoned with, and who said so."""
    said = _list_terms(terms)
    whose = {
        SHOP: "From [order] of shop.toml",
        ASKED: "As you asked",
        USUAL: "As is usual, since nothing says otherwise",
    }
    groups = {source: [words for words, of in said if of == source] for source in whose}
    return [*(f"{whose[source]}: {', '.join(words)}." for source, words in groups.items() if words), *terms.notes]


def _list_terms(terms: StockTerms) -> list[tuple[str, str]]:
    """Say each term in a few words, with who said so."""
    days = terms.rhythm
    said = [
        (f"{_share(terms.service_level.value)} of the pieces asked for served", terms.service_level.source),
        (f"{days.lead_days} days from an order to its arrival", terms.lead_days.source),
        (f"an order every {days.review_days} days", terms.review_days.source),
        (
            f"a year on the shelf at {_share(terms.holding_share.value)} of what a piece costs",
            terms.holding_share.source,
        ),
        (f"a margin of {_share(terms.margin_share.value)} of the price", terms.margin_share.source),
    ]
    money = ((terms.out_cost, "for a piece that is missing"), (terms.line_cost, "for a line of an order"))
    said += [(f"{term.value:,.2f} {terms.currency} {what}", term.source) for term, what in money if term is not None]
    if terms.price is not None:
        said.append((f"a price of {terms.price.value:,.2f} {terms.currency}", terms.price.source))
    return said


def _share(value: float) -> str:
    return f"{value * 100:g} %"
