"""A shop is made of what was sold, and asked."""

from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path

import pytest

from client.shop.forecast.outlook import Outlook, forecast_shop
from client.shop.forecast.question import Question
from client.shop.history.history import History
from client.shop.settings import read_shop
from small_shop import START, Sold, make_shop

Forecast = Callable[..., Outlook]


@pytest.fixture
def forecast(tmp_path: Path) -> Forecast:
    """Forecast a shop of what was sold, as `hansa-client forecast` does."""

    def answer(sold: Sequence[Sold], settings: str = "", *, today: date | None = None, **asked: object) -> Outlook:
        folder = make_shop(tmp_path / "shop", sold, settings)
        history = History.open(folder)
        span = history.span()
        now = today or (span[1] if span else START)
        return forecast_shop(history, read_shop(folder), Question(**asked), today=now)  # type: ignore[arg-type]

    return answer
