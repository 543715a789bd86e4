"""What the demo shop sells, and who it buys from; every number here is invented."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Season = Literal["even", "winter", "summer", "christmas"]


@dataclass(frozen=True)
class Supplier:
    """Whoever delivers.

    Attributes
    ----------
    lead_days, lead_spread_days
        From order to delivery: the mean, and its standard deviation.
    least_pieces
        Of one order of one product.
    """

    name: str
    lead_days: int
    lead_spread_days: float
    least_pieces: int = 1


@dataclass(frozen=True)
class Good:
    """One product.

    Attributes
    ----------
    a_day
        Pieces on an ordinary day.
    cost
        Share of the price that buying it costs.
    pack
        Pieces that are ordered together.
    shelf_days
        How long it keeps; 0 for as long as you like.
    """

    code: str
    name: str
    category: str
    price: float
    a_day: float
    supplier: Supplier
    season: Season = "even"
    pack: int = 1
    shelf_days: int = 0
    cost: float = 0.5


IMPORTER = Supplier("Hanse Tea Import", 21, 4.0, 24)
HERBS = Supplier("Kräuterhof Wendland", 7, 2.0, 6)
ROASTER = Supplier("Rösterei Nord", 4, 1.0)
BAKER = Supplier("Backhaus Süd", 5, 1.0, 12)
POTTER = Supplier("Porzellan Kamin", 35, 7.0, 4)
MAKER = Supplier("Geschenkwerk", 14, 3.0, 6)
SUPPLIERS = (IMPORTER, HERBS, ROASTER, BAKER, POTTER, MAKER)

NEW, DEAD, SHIFTED, FADING, FRAGILE = "HE-206", "TW-505", "GR-103", "BL-107", "TW-501"  # products with a story
NEW_DAYS, DEAD_DAYS, SHIFT_DAYS, FRAGILE_DAYS = 24, 150, 77, 56  # before the end, since when

_ROWS: tuple[tuple[str, Supplier, int, int, tuple[tuple[str, str, float, float, Season], ...]], ...] = (
    ("Black tea", IMPORTER, 12, 720, (
        ("BL-101", "Assam Broken 250 g", 7.9, 4.2, "even"),
        ("BL-102", "Darjeeling First Flush 100 g", 12.5, 1.6, "even"),
        ("BL-103", "Earl Grey 250 g", 8.5, 3.1, "even"),
        ("BL-104", "East Frisian Blend 500 g", 13.9, 2.7, "winter"),
        ("BL-105", "Ceylon Uva 250 g", 7.5, 1.2, "even"),
        ("BL-106", "Spiced Winter Tea 100 g", 6.2, 1.8, "christmas"),
        ("BL-107", "Smoked Lapsang 100 g", 6.9, 0.9, "even"),
        ("BL-108", "Keemun 100 g", 9.8, 0.4, "even"))),
    ("Green tea", IMPORTER, 12, 540, (
        ("GR-101", "Sencha 100 g", 7.9, 2.4, "even"),
        ("GR-102", "Jasmine Pearls 50 g", 11.9, 0.9, "even"),
        ("GR-103", "Matcha 30 g", 19.9, 1.3, "even"),
        ("GR-104", "Gunpowder 250 g", 6.5, 1.1, "even"),
        ("GR-105", "Genmaicha 100 g", 6.9, 0.8, "even"),
        ("GR-106", "Longjing 50 g", 14.9, 0.3, "even"))),
    ("Herbal tea", HERBS, 6, 540, (
        ("HE-201", "Peppermint 80 g", 4.5, 2.6, "even"),
        ("HE-202", "Camomile 80 g", 4.9, 1.7, "winter"),
        ("HE-203", "Rooibos Vanilla 250 g", 6.9, 2.2, "even"),
        ("HE-204", "Berry Iced Tea 250 g", 6.4, 1.9, "summer"),
        ("HE-205", "Lemon Verbena 50 g", 5.2, 0.7, "summer"),
        ("HE-206", "Turmeric Ginger 80 g", 5.9, 2.0, "even"))),
    ("Coffee", ROASTER, 6, 270, (
        ("CO-301", "House Espresso 500 g", 11.9, 3.4, "even"),
        ("CO-302", "Filter Roast 500 g", 10.9, 2.8, "even"),
        ("CO-303", "Decaf Espresso 250 g", 7.9, 0.9, "even"),
        ("CO-304", "Ethiopia Yirgacheffe 250 g", 9.9, 1.3, "even"),
        ("CO-305", "Cold Brew Blend 250 g", 8.9, 0.8, "summer"),
        ("CO-306", "Christmas Roast 250 g", 9.5, 1.0, "christmas"))),
    ("Biscuits", BAKER, 12, 120, (
        ("BI-401", "Butter Biscuits 200 g", 3.9, 3.6, "even"),
        ("BI-402", "Almond Cantuccini 200 g", 4.9, 2.1, "even"),
        ("BI-403", "Gingerbread 300 g", 5.9, 2.4, "christmas"),
        ("BI-404", "Dark Chocolate 100 g", 3.2, 3.0, "winter"),
        ("BI-405", "Shortbread 150 g", 4.5, 1.4, "even"),
        ("BI-406", "Rock Candy 250 g", 2.9, 1.6, "winter"))),
    ("Tableware", POTTER, 1, 0, (
        ("TW-501", "Teapot 1.2 l", 39.0, 0.45, "even"),
        ("TW-502", "Mug with Strainer", 16.9, 1.1, "even"),
        ("TW-503", "Teapot Warmer", 19.5, 0.3, "winter"),
        ("TW-504", "Cup and Saucer", 12.9, 0.8, "even"),
        ("TW-505", "Glass Kettle", 49.0, 0.25, "even"),
        ("TW-506", "Matcha Bowl Set", 29.9, 0.3, "even"))),
    ("Gifts", MAKER, 1, 360, (
        ("GI-601", "Tasting Box Tea", 24.9, 0.9, "christmas"),
        ("GI-602", "Tasting Box Coffee", 22.9, 0.6, "christmas"),
        ("GI-603", "Advent Calendar Tea", 29.9, 0.5, "christmas"),
        ("GI-604", "Gift Card Holder", 3.5, 0.8, "even"))),
)  # fmt: skip

GOODS: tuple[Good, ...] = tuple(
    Good(code, name, category, price, a_day, supplier, season, pack, shelf_days, cost=0.42 if pack == 1 else 0.55)
    for category, supplier, pack, shelf_days, rows in _ROWS
    for code, name, price, a_day, season in rows
)
CATEGORIES = tuple(row[0] for row in _ROWS)
