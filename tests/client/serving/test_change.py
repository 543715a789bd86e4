"""What changes the shop is served: a file that is handed in, an override; and the old edition until then."""

import shutil
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from client.shop.history.history import History
from client.shop.settings import read_shop
from common.http.token import Keys
from served_shop import DAYS, PATIENCE_SECONDS, Serving, next_rows, serving
from small_shop import START

FIRST = START + timedelta(days=DAYS)


@pytest.fixture(scope="module")
def changing(tmp_path_factory: pytest.TempPathFactory, served_folder: Path) -> Iterator[Serving]:
    """A shop of its own, for tests that change it one after another."""
    folder = tmp_path_factory.mktemp("changing") / "shop"
    shutil.copytree(served_folder, folder, symlinks=True)
    with serving(folder) as running:
        running.await_edition()
        yield running


def test_a_file_that_is_handed_in_is_imported_and_then_served(changing: Serving) -> None:
    before = changing.await_edition()
    with changing.client as client:
        job = client.post("/api/v1/imports", params={"name": "../new rows.csv"}, content=next_rows()).json()
        assert (job["source"], job["name"]) == ("till", "new_rows.csv")
        until = time.monotonic() + PATIENCE_SECONDS
        while (said := client.get(f"/api/v1/imports/{job['number']}").json())["state"] in ("waiting", "running"):
            assert time.monotonic() < until
            assert client.get("/api/v1/forecasts").json()["edition"] == before
            time.sleep(0.2)
        assert (said["state"], said["trouble"]) == ("done", ""), said
        assert said["said"]["imports"][0]["counts"]["sales"]["new"] == 3
    after = changing.await_edition(but=before)
    found = changing.ask("/api/v1/forecasts")
    assert found.headers["x-hansa-edition"] == after
    assert found.json()["from"] == str(FIRST + timedelta(days=3))
    assert not list((changing.folder / "served").glob("upload-*"))

    # The same again, by a form of the page: an override, which orders and forecasts heed.
    tokens = Keys(changing.token)
    session = tokens.make_session()
    wanted = {"of": "product", "name": "P1", "first": str(FIRST + timedelta(3)), "last": str(FIRST + timedelta(3))}
    with changing.client as client:
        del client.headers["authorization"]
        client.cookies.set(f"hansa_{changing.address.rpartition(':')[2]}", session)
        made = client.post(
            "/api/v1/overrides",
            json={**wanted, "total": 50.0, "author": "Ana", "reason": "window"},
            headers={"x-hansa-csrf": tokens.csrf_of(session), "origin": changing.address},
        )
        assert made.status_code == 201, made.text
        form = {"csrf": tokens.csrf_of(session), "product": "P2", "author": "Ana", "reason": "window", "change": "20"}
        said = client.post("/override", data={**form, "first": wanted["first"], "last": wanted["last"]})
    assert (said.status_code, said.headers.get("location")) == (303, "/demand/P2?done=override"), said.text
    changing.await_edition(but=after)
    (one,) = changing.ask("/api/v1/forecasts", params={"product": "P1"}).json()["products"]
    assert one["periods"][0]["mean"] == pytest.approx(50.0)
    assert one["periods"][0]["without"] == pytest.approx(made.json()["without"])
    kept = changing.ask("/api/v1/overrides").json()["overrides"]
    assert [(each["total"], each["factor"], each["removed"]) for each in kept] == [
        (50.0, None, None),
        (None, 1.2, None),
    ]
    with changing.client as client:
        assert client.delete("/api/v1/overrides/1").json()["removed"] is not None
        assert client.delete("/api/v1/overrides/7").status_code == 404


def test_a_file_that_is_none_is_a_sentence(changing: Serving) -> None:
    entries = len(History.open(changing.folder).journal())
    with changing.client as client:
        job = client.post("/api/v1/imports", params={"name": "odd.csv"}, content=b"\x00\x01 no table").json()
        until = time.monotonic() + PATIENCE_SECONDS
        while (said := client.get(f"/api/v1/imports/{job['number']}").json())["state"] in ("waiting", "running"):
            assert time.monotonic() < until
            time.sleep(0.2)
        empty = client.post("/api/v1/imports", params={"name": "empty.csv"}, content=b"")
        unknown = client.post("/api/v1/imports", params={"name": "a.csv", "source": "web"}, content=b"a")
    assert said["state"] == "failed"
    assert said["trouble"]
    assert "Traceback" not in said["trouble"]
    assert (empty.status_code, unknown.status_code) == (422, 404)
    assert len(History.open(changing.folder).journal()) == entries


def await_import(changing: Serving, number: int) -> dict[str, Any]:
    until = time.monotonic() + PATIENCE_SECONDS
    while (said := changing.ask(f"/api/v1/imports/{number}").json())["state"] in ("waiting", "running"):
        assert time.monotonic() < until
        time.sleep(0.2)
    return dict(said)


def test_a_file_of_another_kind_is_a_source_from_then_on_and_one_of_no_kind_is_not(changing: Serving) -> None:
    stock = "sku,day,stock level\n" + "".join(f"P1,{START + timedelta(days=day)},{9 + day}\n" for day in range(3))
    before = (changing.folder / "shop.toml").read_text()
    with changing.client as client:
        odd = client.post("/api/v1/imports", params={"name": "odd.csv", "add": True}, content=b"a,b\nx,y\nz,w\n").json()
        assert await_import(changing, odd["number"])["state"] == "failed"
        assert (changing.folder / "shop.toml").read_text() == before
        assert not (changing.folder / "exports" / "odd.csv").exists()
        job = client.post("/api/v1/imports", params={"name": "stock.csv", "add": True}, content=stock.encode()).json()
    said = await_import(changing, job["number"])
    assert (said["state"], said["trouble"], said["is_new"]) == ("done", "", True), said
    assert said["said"]["imports"][0]["counts"] == {"stock": {"new": 3, "changed": 0, "already_there": 0, "older": 0}}
    (_, added) = read_shop(changing.folder).sources
    assert (added.kind, added.location) == ("stock", "exports/stock.csv")
    assert (changing.folder / "shop.toml").read_text().startswith(before.rstrip())
