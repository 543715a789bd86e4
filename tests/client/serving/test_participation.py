"""Taking part from the page: who answers, what is wanted, and what a process that ended has said."""

import asyncio
import json
import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from client.daemon.health import is_alive
from client.serving.folder import ServedFolder
from client.serving.process.participation import Participation
from common.errors import ConfigError
from served_shop import PATIENCE_SECONDS
from small_shop import draw_sales, make_shop


def write_health(path: Path, *, state: str = "connected", process: int = 0, ago: float = 0.0) -> None:
    written = datetime.now(UTC) - timedelta(seconds=ago)
    said = {"state": state, "process": process or os.getpid(), "written_at": written.isoformat()}
    path.write_text(json.dumps(said))


def test_a_daemon_is_alive_by_its_file_and_the_system(tmp_path: Path) -> None:
    path = tmp_path / "health.json"
    assert not is_alive(path)
    write_health(path)
    assert is_alive(path)
    write_health(path, state="stopped")
    assert not is_alive(path)
    write_health(path, ago=600.0)
    assert not is_alive(path)
    write_health(path, process=2**22 - 1)  # the greatest there may be, and nobody's
    assert not is_alive(path)
    path.write_text("{half")
    assert not is_alive(path)


def test_without_a_federation_or_beside_another_daemon_nothing_is_begun(tmp_path: Path) -> None:
    home = ServedFolder(tmp_path)
    home.prepare()
    taking = Participation(home)
    assert (taking.is_wanted, taking.tell_who()) == (False, "nobody")
    with pytest.raises(ConfigError, match="No federation was joined yet"):
        asyncio.run(taking.begin())
    (tmp_path / "federation.json").write_text("{}")
    write_health(tmp_path / "health.json")
    assert taking.tell_who() == "another"
    with pytest.raises(ConfigError, match="stop that one first"):
        asyncio.run(taking.begin())
    assert not taking.is_wanted


def test_why_it_ended_is_said_and_it_is_wanted_until_the_owner_says_otherwise(tmp_path: Path) -> None:
    folder = make_shop(tmp_path / "shop", draw_sales(days=30, products=1))
    home = ServedFolder(folder)
    home.prepare()
    (folder / "federation.json").write_text("{}")  # of no federation

    async def walk() -> str:
        taking = Participation(home)
        await taking.begin()
        until = time.monotonic() + PATIENCE_SECONDS
        while not taking.trouble and time.monotonic() < until:
            await asyncio.sleep(0.1)
        trouble = taking.trouble
        await taking.stop()
        assert taking.is_wanted
        await taking.end()
        assert not taking.is_wanted
        assert taking.tell_who() == "nobody"
        return trouble

    assert "make it anew: hansa-client join --welcome FILE" in asyncio.run(walk())
