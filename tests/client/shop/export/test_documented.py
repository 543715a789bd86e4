"""What the page on exports shows can be written into shop.toml."""

import re
from pathlib import Path

from client.shop.settings import Shop
from common.plan.reading import parse_toml

PAGE = Path(__file__).parents[4] / "docs" / "how-to" / "shop-export.md"


def test_the_sources_on_the_page_are_legal_settings():
    (block,) = re.findall(r"^```\n(\[\[sources\]\].*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    text = f'name = "tea"\ntime_zone = "Europe/Berlin"\ncurrency = "EUR"\n{block}'
    shop = parse_toml(text, Shop, origin="the page")
    assert [source.format for source in shop.sources] == ["shopify", "table"]
