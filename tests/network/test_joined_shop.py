"""From a shop to a federation and back: its own forecast hears the model that the federation released."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from client.cli import main
from fleet.typed import TypedFederation, type_here
from network.federation import SIZE_CLASS, await_launch, launch
from network.shop_plan import LAST, make_smaller, say_readable
from simulation.localhost.processes import free_port

NAMES = ("shop-0", "shop-1", "shop-2")
QUESTION = ("forecast", "--no-keep")


def write_smaller_plan(network: TypedFederation, path: Path) -> str:
    """Have the first shop write a plan for all, and make its training short enough for a test."""
    network.client(NAMES[0], "adapt", "--new-plan", str(path))
    return make_smaller(path.read_text())


@pytest.mark.slow
def test_a_shop_joins_and_its_own_forecast_hears_the_released_model(tmp_path: Path) -> None:
    with TypedFederation(tmp_path / "federation", free_port()) as network:
        done = type_here(main, "demo", str(network.home(NAMES[0])), "--until", LAST)
        assert done.returncode == 0, done.stderr
        for name in NAMES[1:]:  # shops alike: each keeps, reads and sends its own
            shutil.copytree(network.home(NAMES[0]), network.home(name))
        text = write_smaller_plan(network, tmp_path / "new.toml")
        alone = network.client(NAMES[0], *QUESTION)
        assert alone["joined"] is None
        for name in NAMES:
            home = network.home(name)
            (home / "plan.toml").write_text(text)
            network.client(name, "adapt", str(home / "plan.toml"), "--data-root", str(home))
            data = say_readable("promotion", "views", "carts")
            network.let_in(name, unit="product", size_class=SIZE_CLASS, epsilon=8.0, data=data, without_noise=True)
        network.start_coordinator()
        for name in NAMES:
            network.start_merchant(name)
        number = launch(network, text, "--quorum", str(len(NAMES)), "--without-noise")
        await_launch(network, number, received_by=list(NAMES), seconds=600)
        for name in NAMES:
            network.stop(name)
        joined = network.client(NAMES[0], *QUESTION)
        only = network.client(NAMES[0], *QUESTION, "--method", "federated")
    assert joined["joined"] is not None, joined["left_out"]
    assert joined["joined"]["federation"] == network.name
    assert joined["joined"]["weighed_on"], "the rehearsal had learned nothing of the last horizon"
    assert joined["losses"]["federated"] > 0.0
    share, means = joined["methods"]["federated"], [row["mean"] for row in joined["rows"]]
    before = [row["mean"] for row in alone["rows"]]
    # Whether so little training helps is not for the test to say, but that the forecast follows from it.
    assert (share > 0.0) == (means != before) == ("federated" not in joined["left_out"])
    assert only["methods"] == {"federated": 1.0}
    assert [row["mean"] for row in only["rows"]] != before
