"""Signing key and authority are rotated in the middle of a launch, over TLS, with members that never start again."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from client.account.ledger.entry import Spend
from client.account.ledger.ledger import Ledger
from common.errors import HansaError
from network.federation import READABLE, await_true, launch, name_of, plan_text, report, write_sales
from simulation.localhost.processes import Processes, free_port

pytestmark = pytest.mark.slow
THERE, AWAY = [name_of(0), name_of(1)], name_of(2)


def say_health(network: Processes, name: str) -> dict[str, Any]:
    file = network.folder / name / "health.json"
    said: dict[str, Any] = json.loads(file.read_text()) if file.is_file() else {"state": "", "latest_error": ""}
    return said


def rounds_held(network: Processes, number: int) -> int:
    return int(network.status()["launches"][number - 1]["round"])


def await_rounds(network: Processes, number: int, *, more: int = 3) -> None:
    until = rounds_held(network, number) + more
    await_true(lambda: rounds_held(network, number) >= until, seconds=240, say=lambda: report(network))


def await_waiting(network: Processes, names: list[str]) -> None:
    """Wait until everyone but these uses its present welcome."""
    await_true(lambda: network.status()["rotation"]["waiting_for"] == names, seconds=240, say=lambda: report(network))


def callers(network: Processes, name: str) -> list[str]:
    """Name the keys that called the rounds of a merchant, in order, each once."""
    with closing(Ledger(network.folder / name / "ledger.sqlite")) as ledger:
        return list(dict.fromkeys(entry.coordinator for entry in ledger.entries if isinstance(entry, Spend)))


def test_key_and_authority_are_rotated_while_rounds_go_on(tmp_path: Path) -> None:
    with Processes(tmp_path, free_port()) as network:
        for number, name in enumerate([*THERE, AWAY]):
            write_sales(network.folder / name, number)
            network.let_in(name, unit="product", size_class=32, epsilon=8.0, data=READABLE, without_noise=True)
        network.start_coordinator()
        for name in [*THERE, AWAY]:
            network.start_merchant(name)
            await_true(lambda name=name: say_health(network, name)["state"] == "connected", seconds=120)
        processes = {name: say_health(network, name)["process"] for name in THERE}
        assert network.stop(AWAY) == 0
        number = launch(
            network, plan_text("rotated", rounds=400), "--quorum", "2", "--without-noise", "--round-seconds", "60"
        )
        await_rounds(network, number)

        old = network.coordinator_key
        new = network.server("rotate", "signing-key")["coordinator"]
        with pytest.raises(HansaError, match="is being rotated already"):
            network.server("rotate", "signing-key")
        await_waiting(network, [AWAY])
        await_rounds(network, number)
        network.server("rotate", "signing-key", "--finish")
        await_rounds(network, number)
        await_waiting(network, [AWAY])
        assert all(callers(network, name) == [old, new] for name in THERE)

        network.server("rotate", "authority")
        await_waiting(network, [AWAY])
        await_rounds(network, number)
        with pytest.raises(HansaError, match=f"would be locked out: {AWAY}; wait for them"):
            network.server("rotate", "authority", "--finish")
        network.server("rotate", "authority", "--finish", "--yes")
        await_rounds(network, number)
        await_waiting(network, [AWAY])
        for name in THERE:
            assert say_health(network, name)["process"] == processes[name], "nobody started again"
            assert "Traceback" not in (network.folder / name / "process.log").read_text()

        network.start_merchant(AWAY)
        await_true(lambda: say_health(network, AWAY)["state"] == "refused", seconds=120, say=lambda: report(network))
        assert "keep the new welcome that it gives you: hansa-client join --welcome" in str(
            say_health(network, AWAY)["latest_error"]
        )
        request, welcome = network.folder / AWAY / f"{AWAY}.request.json", network.folder / AWAY / "again.json"
        network.client(AWAY, "join", AWAY)  # a request is used once
        network.server("enroll", str(request), "--out", str(welcome))
        network.client(AWAY, "join", "--welcome", str(welcome))
        await_waiting(network, [])
        await_true(lambda: callers(network, AWAY) == [new], seconds=240, say=lambda: report(network))
        assert old in (network.folder / AWAY / "policy.toml").read_text(), "its policy still names the first key"
        network.server("stop", str(number))
        for name in [*THERE, AWAY]:
            assert network.stop(name) == 0
