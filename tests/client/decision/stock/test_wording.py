import pytest

from client.decision.stock.wording import say_amount


@pytest.mark.parametrize(
    ("amount", "said"),
    [(1234.4, "+1,234"), (-10.2, "-10"), (-0.3, "-0.30"), (0.012, "+0.01"), (0.0, "0"), (-1e-9, "0"), (100.0, "+100")],
)
def test_money_that_is_little_is_not_written_as_none(amount: float, said: str) -> None:
    assert say_amount(amount) == said
