"""A shop owner joins a running federation with a browser alone, and sees what became of the model."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from browser import driver
from browser.driver import SERIOUS, install_tools
from fleet.typed import TypedFederation
from network.federation import SIZE_CLASS, await_launch, await_true, launch, report
from network.shop_plan import make_small_shop, make_smaller, say_readable
from released_shop import grow, make_joined_shop, release_to
from served_shop import Serving, serving
from simulation.localhost.processes import free_port

pytestmark = pytest.mark.slow

NAME, OTHERS = "shop-0", ("shop-1", "shop-2")
HERE = "/federation"
PICTURES = os.environ.get("PICTURES", "")  # a folder; none are kept where it is left out
Step = Sequence[Any]


def button(words: str) -> str:
    return f"::-p-xpath(//button[normalize-space()='{words}'])"


class Owner:
    """Who sits before the browser: each visit is a session of its own, opened by a word that is used once."""

    def __init__(self, tools: Path, served: Serving) -> None:
        self._tools, self._served = tools, served

    def do(self, *steps: Step, path: str = HERE, language: str = "en") -> dict[str, Any]:
        (seen,) = self.look([{"path": path, "language": language, "width": 1440, "steps": steps}])
        return seen

    def look(self, views: list[dict[str, Any]]) -> list[dict[str, Any]]:
        with self._served.client as client:
            opened = client.post("/api/v1/sessions").json()["page"]
        return driver.browse(self._tools, address=self._served.address, opened=opened, views=views)

    def look_at_all(self, name: str, path: str = HERE) -> dict[str, str]:
        """Look in both languages, wide and narrow; every page is whole. Give the wide texts by language."""
        views = [
            {"path": path, "language": language, "width": width, **_picture(f"{name}-{language}-{width}")}
            for language in ("en", "zh")
            for width in (1440, 390)
        ]
        found = self.look(views)
        for seen in found:
            where = (name, seen["language"], seen["width"])
            assert (seen["status"], seen["told"]) == (200, []), where
            assert seen["wide"] <= 0, where
            assert [fault for fault in seen["axe"]["found"] if fault.startswith(SERIOUS)] == [], where
        return {seen["language"]: seen["text"] for seen in found if seen["width"] == 1440}


def _picture(name: str) -> dict[str, str]:
    return {"picture": str(Path(PICTURES) / f"{name}.png")} if PICTURES else {}


def write_plan(network: TypedFederation, path: Path) -> str:
    """Have another shop write a plan for shops like these, with few and small rounds."""
    network.client(OTHERS[0], "adapt", "--new-plan", str(path))
    text = make_smaller(path.read_text())
    path.write_text(text)
    return text


def let_others_in(network: TypedFederation, text: str) -> None:
    for name in OTHERS:
        home = network.home(name)
        (home / "plan.toml").write_text(text)
        network.client(name, "adapt", str(home / "plan.toml"), "--data-root", str(home))
        data = say_readable()
        network.let_in(name, unit="product", size_class=SIZE_CLASS, epsilon=8.0, data=data, without_noise=True)
        network.start_merchant(name)


def test_an_owner_joins_on_the_page_and_sees_what_became_of_the_model(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder, tools = tmp_path_factory.mktemp("join"), install_tools(tmp_path_factory.mktemp("tools"))
    with TypedFederation(folder / "federation", free_port()) as network:
        for seed, name in enumerate((NAME, *OTHERS)):
            make_small_shop(network.home(name), seed=seed)
        plan = folder / "plan.toml"
        text = write_plan(network, plan)
        network.start_coordinator()
        let_others_in(network, text)
        with serving(network.home(NAME)) as served:
            join_and_see(network, served, Owner(tools, served), plan)


def join_and_see(network: TypedFederation, served: Serving, owner: Owner, plan: Path) -> None:
    home, began = served.folder, time.monotonic()
    alone = served.await_edition(seconds=900.0)
    before = weekly(served)
    owner.look_at_all("1-before")

    owner.do(("write", "input[name=cohort]", "3"), ("send", button("Write this policy")))
    seen = owner.do(("write", "input[name=name]", NAME), ("send", button("Make the request")))
    assert seen["at"].endswith("done=asked")
    request, welcome = plan.parent / "request.json", plan.parent / "welcome.json"
    request.write_bytes(served.ask(f"/federation/request/{NAME}.request.json").content)  # what the link downloads
    network.server("enroll", str(request), "--out", str(welcome))
    owner.do(("file", "input[data-text=welcome]", str(welcome)), ("send", button("Join")))
    seen = owner.do(("send", button("Yes, this is its key: listen to it")))
    key = network.coordinator_key
    assert f"begins with {key[:8]} and ends with {key[-8:]}" in seen["text"]

    owner.look_at_all("2-joined")
    considered = [
        ("file", "input[data-text=proposal]", str(plan)),
        ("write", "form[data-into=considered] input[name=cohort]", "3"),
        ("click", "form[data-into=considered] button"),
        ("await", "cost epsilon 1 of your budget"),
    ]
    picture = _picture("3-plan-en-1440")
    pictured = [("picture", picture["picture"])] if picture else []
    seen = owner.do(*considered, *pictured, ("send", button("Approve this plan")))
    assert "the file that it reads is made of your history" in seen["text"]
    assert "One record, which is what epsilon protects" not in seen["text"]  # what was said of it is not kept
    seen = owner.do(("send", button("Take part now")), ("await", "connected"))
    print(f"joined after {time.monotonic() - began:.0f} s, its first forecasts included")  # noqa: T201

    number = launch(network, plan.read_text(), "--quorum", "3")
    rounds = [
        ("await", "Last answered: round", 400),
        *([("picture", str(Path(PICTURES) / "4-rounds.png"))] * bool(PICTURES)),
    ]
    owner.do(*rounds)
    await_launch(network, number, received_by=[NAME, *OTHERS], seconds=600)
    served.await_edition(but=alone, seconds=900.0)
    await_true(lambda: weekly(served)["joined"] is not None, seconds=300.0, say=lambda: report(network))
    print(f"the model is in the forecasts after {time.monotonic() - began:.0f} s")  # noqa: T201

    texts, after = owner.look_at_all("5-after"), weekly(served)
    share = after["methods"]["federated"]
    print(f"shares {after['methods']}, left out {after['left_out'].get('federated')}")  # noqa: T201
    assert before["joined"] is None
    assert after["joined"]["weighed_on"], "the rehearsal had learned nothing of the last horizon"
    # Whether a model of so few and noisy rounds helps is not for the test to say, but that the page says which it is.
    said = re.search(r"It was weighed against your own methods, and has (\d+)% of the forecasts", texts["en"])
    assert (said is not None) == (share >= 0.005)
    assert said is not None or "It was weighed, and has no part in the forecasts" in texts["en"]
    assert "比较过" in texts["zh"]
    owner.look_at_all("6-demand", "/demand")
    owner.look_at_all("7-privacy", "/privacy")

    owner.do(("send", button("Take part no longer")), ("await", "Nobody is answering rounds now"))
    assert not (home / "served" / "taking-part").exists()


def weekly(served: Serving) -> dict[str, Any]:
    """What the forecasts that are served are made of."""
    name = served.status()["edition"]["name"]
    document: dict[str, Any] = json.loads((served.folder / "served" / name / "week.json").read_text())
    return document


def test_a_model_that_helps_changes_the_forecast_and_the_page_says_by_how_much(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder, tools = tmp_path_factory.mktemp("helped") / "shop", install_tools(tmp_path_factory.mktemp("tools"))
    sold = grow(days=100, products=6, a_day=0.01)
    make_joined_shop(folder, sold, learned_days=60, horizon_days=35)  # it has learned nothing of the last five weeks
    with serving(folder) as served:
        owner, alone = Owner(tools, served), served.await_edition(seconds=900.0)
        before, first = weekly(served), served.ask("/api/v1/forecasts", params={"by": "week"}).json()
        assert "None has come yet" in owner.look_at_all("8-none")["en"]
        release_to(folder, 1.4)  # signed by the coordinator; the shop grows faster than its own methods see
        served.await_edition(but=alone, seconds=900.0)
        after, texts = weekly(served), owner.look_at_all("9-helped")
        then = served.ask("/api/v1/forecasts", params={"by": "week"}).json()
    share = after["methods"]["federated"]
    assert share > 0.005
    assert f"has {share:.0%} of the forecasts" in texts["en"]
    assert f"在预测中占 {share:.0%}" in texts["zh"]
    assert "federated" not in before["methods"]
    assert then["products"][0]["periods"][-1]["mean"] > first["products"][0]["periods"][-1]["mean"]
