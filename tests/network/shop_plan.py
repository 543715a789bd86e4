"""Shops alike with a plan that one of them writes for all, made short enough for a test."""

from __future__ import annotations

from pathlib import Path

from small_shop import draw_sales, make_shop

LAST = "2026-09-30"
SMALLER = {
    "num_rounds = 100": "num_rounds = 12",
    "num_rounds = 60": "num_rounds = 12",
    "hidden_size = 24": "hidden_size = 8",
    "decoder_size = 24": "decoder_size = 8",
    "window_steps = 60": "window_steps = 40",
}
DAYS, PRODUCTS = 420, 8


def make_smaller(text: str) -> str:
    """Give the plan with few and small rounds."""
    for long, short in SMALLER.items():
        assert long in text
        text = text.replace(long, short)
    return text


def say_readable(*columns: str) -> str:
    """Write the section of a policy that lets a plan read these columns of the file that `adapt` makes."""
    named = ", ".join(f'"{column}"' for column in ("product", "day", "units", *columns))
    return f'[data]\nentity = "product"\n\n[data.files]\n"demand.parquet" = [{named}]\n'


def make_small_shop(folder: Path, *, seed: int) -> None:
    """Invent a shop of a year and a bit, of its own sales."""
    make_shop(folder, draw_sales(days=DAYS, products=PRODUCTS, seed=seed))
