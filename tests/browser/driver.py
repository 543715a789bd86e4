"""A real browser that looks at pages: Chromium, driven by puppeteer, its pages read by axe."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
TOOLS = ("puppeteer-core@24.43.1", "axe-core@4.14.1")
SERIOUS = ("serious:", "critical:")


def install_tools(folder: Path) -> Path:
    """Fetch what drives the browser and reads its pages, by npm; without them the test is left out."""
    if BROWSER is None or shutil.which("npm") is None:
        pytest.skip("no browser or no npm here: install chromium and npm")
    done = subprocess.run(
        ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", *TOOLS],
        cwd=folder, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        pytest.skip(f"npm gave no {' and '.join(TOOLS)}: {done.stderr[-200:]}")
    return folder


def browse(tools: Path, *, address: str, opened: str, views: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Look at views, one after another, in one session; and do in each what its `steps` say."""
    order = {"browser": BROWSER, "address": address, "open": opened, "views": views}
    script = tools / "browse.js"
    script.write_text((Path(__file__).parent / "browse.js").read_text())
    done = subprocess.run(
        ["node", str(script)], input=json.dumps(order), capture_output=True, text=True, timeout=1500, check=False
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]
