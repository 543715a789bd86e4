"""The process: begins with a sentence or not at all, serves what it has at once, and ends with its children."""

import os
import shutil
import signal
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from certs.authority import make_authority
from certs.key import TLS_CURVE, read_or_make_curve_key
from client import cli
from served_shop import PATIENCE_SECONDS, Serving, serving

Try = Callable[..., tuple[int, str]]


@pytest.fixture
def try_to_serve(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Try:
    """Try to serve where it cannot be done; the exit code and the sentence."""

    def run(folder: Path, *options: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["hansa-client", "serve", "--folder", str(folder), "--no-open", *options])
        capsys.readouterr()
        with pytest.raises(SystemExit) as stop:
            cli.main()
        said = capsys.readouterr()
        assert said.out == ""
        return int(stop.value.code or 0), said.err

    return run


def is_running(process: int) -> bool:
    """Whether a process is there, and no zombie."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def copy_served(served: Serving, folder: Path) -> Path:
    """Copy a served shop, as it was left by a server that ended."""
    shutil.copytree(served.folder, folder, symlinks=True, ignore=shutil.ignore_patterns("*.lock", "at.json", ".making"))
    return folder


def test_a_folder_is_served_once(served: Serving, try_to_serve: Try) -> None:
    code, said = try_to_serve(served.folder, "--port", "0")
    assert code == 2
    assert said == (
        f"hansa-client: {served.folder.resolve()} is served already at {served.address}; use that one, or stop it "
        "first.\n"
    )


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--host", "192.0.2.1"), "give --tls FOLDER"),
        (("--host", "192.0.2.1", "--tls", "nowhere"), "There is no nowhere/server.pem"),
        (("--port", "{taken}"), "choose another --port"),
    ],
)
def test_where_it_cannot_listen_is_a_sentence(
    served: Serving, tmp_path: Path, try_to_serve: Try, options: tuple[str, ...], words: str
) -> None:
    (tmp_path / "shop.toml").write_text((served.folder / "shop.toml").read_text())
    taken = served.address.rpartition(":")[2]
    code, said = try_to_serve(tmp_path, *(option.format(taken=taken) for option in options))
    assert code == 2
    assert words in said
    assert said.count("\n") == 1


def test_a_token_that_others_may_read_is_refused(served: Serving, tmp_path: Path, try_to_serve: Try) -> None:
    (tmp_path / "shop.toml").write_text((served.folder / "shop.toml").read_text())
    (tmp_path / "served").mkdir()
    (tmp_path / "served" / "token").write_text("a" * 43)
    (tmp_path / "served" / "token").chmod(0o644)
    code, said = try_to_serve(tmp_path, "--port", "0")
    assert (code, "Others may read" in said) == (2, True)


def test_what_is_kept_is_for_its_owners_eyes(served: Serving) -> None:
    home = served.folder / "served"
    for path in (home, *home.rglob("*")):
        if not path.is_symlink() and path.name != "serving.lock":
            assert path.stat().st_mode & 0o077 == 0, path


def test_the_last_edition_is_served_at_once_and_all_ends_with_the_server(served: Serving, tmp_path: Path) -> None:
    name = served.await_edition()
    folder = copy_served(served, tmp_path / "shop")
    (folder / "overrides.json").write_text("{")  # so that the new edition lacks what the old one had
    with serving(folder) as running:
        answer = running.ask("/api/v1/forecasts")
        assert answer.headers["x-hansa-edition"] == name
        until = time.monotonic() + PATIENCE_SECONDS
        while "x-hansa-stale" not in running.ask("/api/v1/products").headers:
            assert time.monotonic() < until
        children = running.children()
        assert children
        running.process.send_signal(signal.SIGTERM)
        assert running.process.wait(timeout=PATIENCE_SECONDS) == 143
        assert not any(map(is_running, children))
    assert not (folder / "served" / "at.json").exists()


def test_children_end_with_a_server_that_is_killed_and_a_maker_that_is_killed_is_a_sentence(
    served: Serving, tmp_path: Path
) -> None:
    folder = copy_served(served, tmp_path / "shop")
    for edition in (folder / "served").glob("2*"):
        shutil.rmtree(edition)
    with serving(folder) as running:
        assert running.ask("/api/v1/forecasts").status_code == 503
        assert running.ask("/ready").status_code == 503
        (maker,) = running.children()
        os.kill(maker, signal.SIGKILL)
        until = time.monotonic() + PATIENCE_SECONDS
        while not running.status()["trouble"]:
            assert time.monotonic() < until
            time.sleep(0.05)
        assert "the process that makes it ended (exit code -9)" in running.status()["trouble"]
        assert "There is nothing to serve yet" in running.ask("/api/v1/orders").json()["error"]["message"]
        with running.client as client:
            assert client.post("/api/v1/editions").status_code == 202
        while not (children := running.children()):
            assert time.monotonic() < until
            time.sleep(0.05)
        running.process.kill()
        running.process.wait()
        while any(map(is_running, children)):
            assert time.monotonic() < until
            time.sleep(0.05)


def test_beyond_loopback_it_speaks_tls_alone(served: Serving, tmp_path: Path) -> None:
    folder = copy_served(served, tmp_path / "shop")
    tls = tmp_path / "tls"
    tls.mkdir()
    authority = make_authority(tls, "shop")
    key = read_or_make_curve_key(tls / "server.key", TLS_CURVE)
    (tls / "server.pem").write_bytes(authority.sign_server(["127.0.0.1", "shop.example"], key.public_key()))
    with serving(folder, "--tls", str(tls), "--host", "127.0.0.1") as running:
        assert running.address.startswith("https://")
        import ssl

        trusted = ssl.create_default_context(cafile=str(tls / "authority.pem"))
        with httpx.Client(verify=trusted, trust_env=False, base_url=running.address, timeout=60) as client:
            assert client.get("/live").status_code == 200
            assert client.get("/live", headers={"host": "shop.example:1"}).status_code == 200
            assert client.get("/live", headers={"host": "other.example"}).status_code == 421
            cookie = client.get(running.page).headers["set-cookie"]
            assert "Secure" in cookie
        host, _, port = running.address.removeprefix("https://").partition(":")
        with socket.create_connection((host, int(port)), timeout=60) as line:
            line.sendall(b"GET /live HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n")
            assert b"alive" not in line.recv(1000)
