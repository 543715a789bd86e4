"""Every command of the coordinator: what it says, what it refuses in one sentence, and its section in the docs."""

from __future__ import annotations

import json
import re
import stat
import sys
from pathlib import Path
from typing import Any

import pytest
import typer.main
from click import Command, Group
from cryptography.x509 import DNSName, SubjectAlternativeName

from certs.authority import Authority, read_certificate
from certs.key import NODE_CURVE, TLS_CURVE, read_or_make_curve_key
from certs.request import Welcome, make_request, read_document, write_document
from server import cli

PAGE = (Path(__file__).parents[2] / "docs" / "hansa-server.md").read_text()
PLAN = Path(__file__).parents[2] / "plans" / "federation.toml"


def run(monkeypatch: pytest.MonkeyPatch, *words: object) -> int:
    monkeypatch.setattr(sys, "argv", ["hansa-server", *map(str, words)])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    return int(stop.value.code or 0)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    assert run(monkeypatch, "init", "hanse", "--folder", "fed", "--host", "shop.example") == 0
    return tmp_path / "fed"


def request_of(folder: Path, name: str) -> Path:
    tls_key = read_or_make_curve_key(folder / f"{name}.tls", TLS_CURVE)
    node_key = read_or_make_curve_key(folder / f"{name}.node", NODE_CURVE)
    write_document(make_request(name, 64, tls_key=tls_key, node_key=node_key), folder / f"{name}.request.json")
    return folder / f"{name}.request.json"


def said(capsys: pytest.CaptureFixture[str]) -> Any:
    return json.loads(capsys.readouterr().out)


def commands(group: Command, path: str = "hansa-server") -> list[tuple[str, Command]]:
    if not isinstance(group, Group):
        return [(path, group)]
    return [found for name, command in group.commands.items() for found in commands(command, f"{path} {name}")]


@pytest.mark.parametrize(("name", "command"), commands(typer.main.get_command(cli.app)))
def test_every_command_and_option_has_its_place_in_the_docs(name: str, command: Command) -> None:
    sections = [part for part in PAGE.split("\n## ")[1:] if re.fullmatch(rf"{name}( [A-Z]+)?", part.split("\n")[0])]
    assert len(sections) == 1
    for parameter in command.params:
        shown = parameter.opts[0] if parameter.opts[0].startswith("--") else f"{parameter.human_readable_name}"
        assert f"`{shown}" in sections[0] or shown.lower() in sections[0].lower(), shown


def test_keys_are_for_their_owner_alone_and_stay_out_of_git(folder: Path) -> None:
    for name in ("certs/authority.key", "certs/server.key", "signing.key", "superexec.secret"):
        assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600
    assert (folder / ".gitignore").read_text().splitlines()[-1] == "*"


def test_a_merchant_is_enrolled_and_revoked(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert run(monkeypatch, "enroll", request_of(folder, "alice"), "--folder", folder, "--json") == 0
    assert said(capsys) == {"member": "alice", "size_class": 64, "welcome": "alice.welcome.json"}
    welcome = read_document(Path("alice.welcome.json"), Welcome)
    assert welcome.address == "shop.example:8443"
    assert "PRIVATE" not in Path("alice.welcome.json").read_text()
    assert run(monkeypatch, "revoke", "alice", "--folder", folder) == 0
    capsys.readouterr()
    assert run(monkeypatch, "status", "--folder", folder, "--json") == 0
    assert said(capsys)["members"][0]["revoked_at"] is not None


def test_a_launch_is_signed_noted_stopped_and_resumed(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("alice", "bob", "carol"):
        run(monkeypatch, "enroll", request_of(folder, name), "--folder", folder)
    capsys.readouterr()
    assert run(monkeypatch, "launch", PLAN, "--folder", folder, "--json") == 0
    assert (launched := said(capsys))["quorum"] == 2
    assert run(monkeypatch, "stop", 1, "--folder", folder) == 0
    assert run(monkeypatch, "resume", 1, "--folder", folder) == 0
    capsys.readouterr()
    assert run(monkeypatch, "status", "--folder", folder, "--json") == 0
    (launch,) = said(capsys)["launches"]
    assert (launch["state"], launch["run_hash"], launch["round"]) == ("running", launched["run_hash"], 0)
    assert run(monkeypatch, "status", "--folder", folder) == 0
    assert "round 0 of 10" in capsys.readouterr().out


def test_a_model_larger_than_the_proof_is_refused_at_launch(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    run(monkeypatch, "enroll", request_of(folder, "alice"), "--folder", folder)
    large = tmp_path / "large.toml"
    cold = PLAN.read_text().replace('start = "warm"', 'start = "cold"')
    large.write_text(re.sub(r"(hidden|decoder)_size = \d+", r"\1_size = 1024", cold))
    capsys.readouterr()
    for noise in ((), ("--without-noise",)):
        assert run(monkeypatch, "launch", large, "--folder", folder, *noise) == 2
        said_ = capsys.readouterr().err
        assert said_.count("\n") == 1
        assert "is proven for up to 4,194,296; make model.hidden_size or model.decoder_size smaller" in said_
    assert run(monkeypatch, "status", "--folder", folder, "--json") == 0
    assert said(capsys)["launches"] == []


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("init", "hanse", "--folder", "fed"), "already"),
        (("init", "Hanse", "--folder", "other"), "is no name"),
        (("status", "--folder", "nowhere"), "no federation"),
        (("launch", "nothing.toml", "--folder", "fed"), "Cannot read the plan"),
        (("launch", str(PLAN), "--folder", "fed"), "Nobody is enrolled"),
        (("enroll", "nothing.json", "--folder", "fed"), "Cannot read"),
        (("enroll", "fed/federation.toml", "--folder", "fed"), "no JoinRequest"),
        (("revoke", "nobody", "--folder", "fed"), "no member"),
        (("stop", "7", "--folder", "fed"), "no launch 7"),
        (("resume", "7", "--folder", "fed"), "no launch 7"),
        (("models", "show", "abc", "--folder", "fed"), "0 models begin"),
        (("models", "pull", "abc", "--out", "x", "--folder", "fed"), "0 models begin"),
    ],
)
def test_a_mistake_is_one_sentence_and_exit_code_2(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    sentence: str,
) -> None:
    capsys.readouterr()
    assert run(monkeypatch, *words) == 2
    error = capsys.readouterr().err
    assert sentence in error
    assert (error.count("\n"), error.startswith("hansa-server: ")) == (1, True)


def test_a_plan_runs_once(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    run(monkeypatch, "enroll", request_of(folder, "alice"), "--folder", folder)
    assert run(monkeypatch, "launch", PLAN, "--folder", folder) == 0
    assert run(monkeypatch, "launch", PLAN, "--folder", folder) == 2
    assert "launched before, as number 1" in capsys.readouterr().err
    assert run(monkeypatch, "launch", PLAN, "--quorum", 5, "--folder", folder, "--without-noise") == 2
    assert "cannot be met" in capsys.readouterr().err


def test_settings_that_are_not_legal_name_the_key(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = folder / "federation.toml"
    file.write_text(file.read_text().replace("gateway_port = 8443", "gateway_port = 99999"))
    assert run(monkeypatch, "status", "--folder", folder) == 2
    assert "gateway_port = 99999" in capsys.readouterr().err


def test_a_certificate_out_of_date_is_not_served_until_it_is_renewed(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    key = read_or_make_curve_key(folder / "certs" / "server.key", TLS_CURVE)
    expired = Authority(folder / "certs").sign_server(["shop.example"], key.public_key(), days=-0.01)
    (folder / "certs" / "server.pem").write_bytes(expired)
    assert run(monkeypatch, "up", "--folder", folder) == 2
    error = capsys.readouterr().err
    assert "hansa-server renew" in error
    assert error.count("\n") == 1
    assert run(monkeypatch, "renew", "--folder", folder) == 0
    renewed = read_certificate((folder / "certs" / "server.pem").read_bytes(), origin="test")
    names = renewed.extensions.get_extension_for_class(SubjectAlternativeName).value
    assert names.get_values_for_type(DNSName) == ["shop.example"]
    assert renewed.public_key() == key.public_key()
