"""Every view of a demo shop's page in a real browser: both languages, wide and narrow, by keyboard, read by axe."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from client.cli import app
from client.page.menu import MENU
from served_shop import Serving, serving

pytestmark = pytest.mark.slow

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
TOOLS = ("puppeteer-core@24.43.1", "axe-core@4.14.1")
SERIOUS = ("serious:", "critical:")
MOST_BYTES, MOST_MILLISECONDS = 300_000, 1000.0
PRODUCT, CUSTOMER = "GR-103", "/customers"


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What drives the browser and reads its pages, by npm."""
    folder = tmp_path_factory.mktemp("tools")
    if BROWSER is None or shutil.which("npm") is None:
        pytest.skip("no browser or no npm here: install chromium and npm")
    done = subprocess.run(
        ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", *TOOLS],
        cwd=folder, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        pytest.skip(f"npm gave no {' and '.join(TOOLS)}: {done.stderr[-200:]}")
    return folder


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    folder = tmp_path_factory.mktemp("demo") / "shop"
    done = CliRunner().invoke(app, ["demo", str(folder)])
    assert done.exit_code == 0, done.output
    with serving(folder) as running:
        running.await_edition(seconds=900.0)
        yield running


def browse(tools: Path, demo: Serving, views: list[dict[str, Any]]) -> list[dict[str, Any]]:
    with demo.client as client:
        opened = client.post("/api/v1/sessions").json()["page"]
    order = {"browser": BROWSER, "address": demo.address, "open": opened, "views": views}
    script = tools / "browse.js"
    script.write_text((Path(__file__).parent / "browse.js").read_text())
    done = subprocess.run(
        ["node", str(script)], input=json.dumps(order), capture_output=True, text=True, timeout=1500, check=False
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_every_view_is_whole_in_both_languages_wide_and_narrow(tools: Path, demo: Serving) -> None:
    customer = demo.ask("/api/v1/customers?limit=1").json()["rows"][0]["customer"]
    paths = [
        *(entry.path for entry in MENU),
        f"/demand/{PRODUCT}",
        f"/customers/{customer}",
        f"/what-if?product={PRODUCT}&change=5",
    ]
    views = [
        {"path": path, "language": language, "width": width, "dark": width == 390}
        for path in paths
        for language in ("en", "zh")
        for width in (1440, 390)
    ]
    for seen in browse(tools, demo, views):
        where = (seen["path"], seen["language"], seen["width"])
        assert seen["status"] == 200, where
        assert seen["told"] == [], where
        assert seen["wide"] <= 0, where
        assert [fault for fault in seen["axe"]["found"] if fault.startswith(SERIOUS)] == [], where
        assert seen["axe"]["passes"] > 20, where  # it did look
        assert seen["bytes"] < MOST_BYTES, where
        if seen["language"] == "zh":
            assert len(re.findall(r"[\u3400-\u9fff]", seen["text"])) > 60, where


def test_an_order_is_kept_by_keyboard_alone(tools: Path, demo: Serving) -> None:
    keys = ["tab to input[type=number]", "Control+A", "type 77", "tab to button[value=keep]", "send"]
    keys = [key for key in keys if key != "Control+A"]  # a field that is reached by Tab has its text chosen
    (seen,) = browse(tools, demo, [{"path": "/orders", "language": "en", "width": 1440, "keys": keys}])
    assert seen["at"].endswith("/orders?done=kept")
    assert "These quantities are kept" in seen["text"]
    assert ",77," in demo.ask("/orders.csv").text


def test_the_first_view_is_there_within_a_second(tools: Path, demo: Serving) -> None:
    views = [{"path": "/", "language": "en", "width": 1440}] * 3
    timings = [seen["timing"] for seen in browse(tools, demo, views)]
    assert min(timings) < MOST_MILLISECONDS, timings
