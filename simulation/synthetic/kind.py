"""The kinds of merchant: what a grocer's demand looks like, and what sets it apart from spare parts."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, kw_only=True)
class Kind:
    """What merchants of one kind share; `KINDS` is the public taxonomy."""

    name: str
    daily_units: float  # median over products of the mean units per open day
    units_spread: float  # std of its logarithm over products
    dispersion: float  # size of the negative binomial: variance = mean + mean² / dispersion
    weekday: tuple[float, float, float, float, float, float, float]  # relative demand, Monday first
    season: float  # amplitude of the yearly wave in log demand
    season_peak: float  # day of the year
    season_spread: float  # days by which products differ from that peak
    price: float  # median
    promotion_share: float  # share of products that join a campaign
    elasticity: float  # median over products
    buzz: float  # std of log interest
    lead: tuple[float, ...]  # how orders follow interest 0, 1, … open days later; sums to 1
    conversion: float  # units per view
    cart_share: float  # carts per view
    orders_per_day: float  # mean over customers, per open day
    regularity: int  # gaps between orders are Erlang of this shape: 1 is pure chance
    lines: float  # products per order beyond the first
    lead_days: float  # mean time from view to order, in open days
    lifetime_days: float  # mean time until a customer leaves, in open days


KINDS: Final = (
    Kind(
        name="grocery",
        daily_units=6.0,
        units_spread=0.8,
        dispersion=12.0,
        weekday=(0.9, 0.8, 0.85, 0.95, 1.3, 1.7, 1.0),
        season=0.1,
        season_peak=355.0,
        season_spread=60.0,
        price=3.0,
        promotion_share=0.2,
        elasticity=2.0,
        buzz=0.1,
        lead=(1.0,),
        conversion=0.5,
        cart_share=0.7,
        orders_per_day=1 / 8,
        regularity=3,
        lines=1.5,
        lead_days=0.03,
        lifetime_days=400.0,
    ),
    Kind(
        name="fashion",
        daily_units=1.2,
        units_spread=0.9,
        dispersion=3.0,
        weekday=(0.8, 0.8, 0.9, 1.0, 1.2, 1.6, 1.0),
        season=0.6,
        season_peak=150.0,
        season_spread=70.0,
        price=40.0,
        promotion_share=0.4,
        elasticity=3.0,
        buzz=0.3,
        lead=(1.0,),
        conversion=0.2,
        cart_share=0.4,
        orders_per_day=1 / 35,
        regularity=2,
        lines=0.6,
        lead_days=0.2,
        lifetime_days=200.0,
    ),
    Kind(
        name="spare parts",
        daily_units=0.06,
        units_spread=0.8,
        dispersion=0.3,
        weekday=(1.2, 1.1, 1.0, 1.0, 1.0, 0.5, 1.0),
        season=0.15,
        season_peak=320.0,
        season_spread=40.0,
        price=60.0,
        promotion_share=0.05,
        elasticity=1.2,
        buzz=0.2,
        lead=(1.0,),
        conversion=0.3,
        cart_share=0.6,
        orders_per_day=1 / 50,
        regularity=1,
        lines=0.4,
        lead_days=0.05,
        lifetime_days=500.0,
    ),
    Kind(
        name="online",
        daily_units=1.5,
        units_spread=1.0,
        dispersion=5.0,
        weekday=(1.2, 1.1, 1.0, 1.0, 0.9, 0.8, 1.0),
        season=0.3,
        season_peak=335.0,
        season_spread=30.0,
        price=25.0,
        promotion_share=0.25,
        elasticity=2.5,
        buzz=0.6,
        lead=(0.1, 0.3, 0.4, 0.2),
        conversion=0.08,
        cart_share=0.25,
        orders_per_day=1 / 20,
        regularity=2,
        lines=0.8,
        lead_days=2.0,
        lifetime_days=150.0,
    ),
)
