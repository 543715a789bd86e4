"""What the page says of a model that came."""

from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from client.page.view.model import say_part, show_model

HERE = {"federation": "tea"}


@pytest.mark.parametrize(
    ("week", "is_stale", "said", "has_part"),
    [
        ({}, True, "Newer forecasts are being made", False),
        ({}, False, "were made without it", False),
        ({"joined": HERE, "methods": {"federated": 0.234}, "left_out": {}}, False, "has 23% of the forecasts", True),
        (
            {"joined": HERE, "methods": {"federated": 0.0}, "left_out": {}},
            False,
            "they forecast your sales better",
            False,
        ),
        (
            {"joined": HERE, "methods": {"federated": 0.0}, "left_out": {"federated": "made past forecasts no better"}},
            True,
            "no part in the forecasts: it made past forecasts no better.",
            False,
        ),
        (
            {"joined": None, "methods": {}, "left_out": {"federated": "cannot be used"}},
            False,
            "it cannot be used",
            False,
        ),
    ],
)
def test_what_became_of_it_is_said(week: dict[str, object], is_stale: bool, said: str, has_part: bool) -> None:
    words, used = say_part(week, is_stale=is_stale)
    assert said in words
    assert used == has_part


def test_where_none_came_there_is_none_and_a_damaged_one_is_a_sentence(tmp_path: Path) -> None:
    zone = ZoneInfo("Asia/Shanghai")
    assert show_model(tmp_path, zone, {}, is_stale=False) is None
    (tmp_path / "federation.json").write_text("{half")
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "ab.safetensors").write_bytes(b"no model")
    found = show_model(tmp_path, zone, {}, is_stale=False)
    assert found is not None
    assert "make it anew" in found.trouble
