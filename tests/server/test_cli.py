"""Every command of the coordinator: what it says, what it refuses in one sentence, and its section in the docs."""

from __future__ import annotations

import json
import re
import stat
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import typer.main
from click import Command, Group
from cryptography.x509 import Certificate, DNSName, SubjectAlternativeName

from certs.authority import Authority, read_certificate
from certs.key import NODE_CURVE, TLS_CURVE, read_or_make_curve_key
from certs.request import Welcome, make_request, read_document, write_document
from client.account.policy import read_policy
from client.daemon.membership import accept_welcome, ask_to_join
from client.folder import MerchantFolder
from fleet.shop import POLICY
from server import cli
from server.registry.registry import Registry, State

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


def test_a_request_is_used_once_and_an_old_file_lets_nobody_back_in(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def enroll(request: Path, *words: object) -> tuple[int, str]:
        capsys.readouterr()
        code = run(monkeypatch, "enroll", request, "--folder", folder, *words)
        return code, capsys.readouterr().err

    first = request_of(folder, "alice")
    assert "Cannot write" in enroll(first, "--out", folder / "nowhere" / "welcome.json")[1]
    assert enroll(first) == (0, ""), "where no welcome could be written, the request was not used"
    welcome = Path("alice.welcome.json").read_bytes()
    code, said = enroll(first)
    assert (code, said.count("\n"), "was used already" in said) == (2, 1, True)
    assert Path("alice.welcome.json").read_bytes() == welcome
    unused = request_of(folder, "alice")
    assert run(monkeypatch, "revoke", "alice", "--folder", folder) == 0
    code, said = enroll(unused)
    assert (code, said.count("\n"), "is from before it was revoked" in said) == (2, 1, True)
    assert enroll(request_of(folder, "alice")) == (0, "")


def test_an_old_or_early_request_is_one_sentence(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tls_key = read_or_make_curve_key(folder / "alice.tls", TLS_CURVE)
    node_key = read_or_make_curve_key(folder / "alice.node", NODE_CURVE)
    for days, sentence in ((-31, "more than 30 days ago"), (1, "have whichever clock is wrong set right")):
        at = datetime.now(UTC) + timedelta(days=days)
        write_document(make_request("alice", 64, tls_key=tls_key, node_key=node_key, at=at), folder / "request.json")
        capsys.readouterr()
        assert run(monkeypatch, "enroll", folder / "request.json", "--folder", folder) == 2
        said = capsys.readouterr().err
        assert (said.count("\n"), sentence in said) == (1, True)
    with closing(Registry(folder / "registry.sqlite")) as registry:
        assert registry.members() == []


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


LONG_HOST = f"{'a' * 33}.{'b' * 36}"  # 70 characters, where a name in a certificate has room for 64


def test_the_longest_names_work_from_the_first_command_to_the_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    federation, member = "f" * 63, "m" * 60
    assert run(monkeypatch, "init", federation, "--folder", "fed", "--host", LONG_HOST) == 0
    home = MerchantFolder(tmp_path / "shop")
    home.folder.mkdir()
    home.policy.write_text(POLICY.replace("{coordinators}", ""))
    request = ask_to_join(home, member, read_policy(home.policy))
    assert run(monkeypatch, "enroll", home.request(member), "--folder", "fed", "--out", "welcome.json") == 0
    joined = accept_welcome(home, Path("welcome.json"))
    assert (joined.welcome.name, joined.welcome.federation) == (request.name, federation)
    assert joined.welcome.address == f"{LONG_HOST}:8443"
    assert run(monkeypatch, "renew", "--folder", "fed") == 0
    served = read_certificate((tmp_path / "fed" / "certs" / "server.pem").read_bytes(), origin="test")
    assert LONG_HOST in hosts_of(served)
    authority = read_certificate(joined.welcome.authority.encode(), origin="test")
    served.verify_directly_issued_by(authority)


def hosts_of(certificate: Certificate) -> list[str]:
    return certificate.extensions.get_extension_for_class(SubjectAlternativeName).value.get_values_for_type(DNSName)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("f" * 64,), "up to 63"),
        (("hanse", "--host", "a" * 64), "is no host"),
        (("hanse", "--host", ".".join(["a" * 60] * 5)), "is no host"),
        (("hanse", "--host", "my_host"), "is no host"),
        (("hanse", "--host", "münchen.example"), "is no host"),
        (("hanse", "--host", "shop.example:8443"), "is no host"),
        (("hanse", "--host", ""), "is no host"),
    ],
)
def test_a_name_that_cannot_be_is_refused_before_anything_is_made(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    sentence: str,
) -> None:
    assert run(monkeypatch, "init", *words, "--folder", tmp_path / "fed") == 2
    error = capsys.readouterr().err
    assert sentence in error
    assert error.count("\n") == 1
    assert not (tmp_path / "fed").exists()


def test_an_address_of_version_6_is_dialled_in_brackets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for number, host in enumerate(("2001:db8::1", "[2001:db8::1]")):
        assert run(monkeypatch, "init", "hanse", "--host", host, "--folder", tmp_path / str(number), "--json") == 0
        assert said(capsys)["address"] == "[2001:db8::1]:8443"


def test_a_gitignore_that_somebody_else_made_stays_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / ".gitignore").write_text("*.pyc\n")
    assert run(monkeypatch, "init", "hanse", "--folder", tmp_path) == 0
    assert (tmp_path / ".gitignore").read_text() == "*.pyc\n"
    assert ".gitignore stays as it is; see that it keeps these keys out of git" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            [("_size = 24", "_size = 1024"), ('unit = "product"', 'unit = "product"\nstart = "cold"')],
            "is proven for up to",
        ),
        ([('unit = "product"', 'unit = "product"\nclipping_norm = 1e12')], "clipping_norm"),
        ([("decoder_size = 24", "decoder_size = 25")], "no warm model"),
        ([('unit = "product"', 'unit = "product"\nsize_classes = [32]')], "fewer than the quorum"),
    ],
)
def test_a_plan_that_cannot_run_is_refused_at_launch(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    changes: list[tuple[str, str]],
    sentence: str,
) -> None:
    run(monkeypatch, "enroll", request_of(folder, "alice"), "--folder", folder)
    text = PLAN.read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    (folder / "plan.toml").write_text(text)
    capsys.readouterr()
    assert run(monkeypatch, "launch", folder / "plan.toml", "--folder", folder) == 2
    error = capsys.readouterr().err
    assert sentence in error
    assert error.count("\n") == 1
    assert run(monkeypatch, "stop", 1, "--folder", folder) == 2, "nothing was launched"


def test_a_launch_that_failed_can_be_resumed(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run(monkeypatch, "enroll", request_of(folder, "alice"), "--folder", folder)
    assert run(monkeypatch, "launch", PLAN, "--folder", folder) == 0
    with closing(Registry(folder / "registry.sqlite")) as registry:
        registry.note_launch(1, state=State.FAILED, reason="the checkpoint is damaged")
    assert run(monkeypatch, "status", "--folder", folder) == 0
    assert "failed" in capsys.readouterr().out
    assert run(monkeypatch, "resume", 1, "--folder", folder) == 0
    assert run(monkeypatch, "resume", 1, "--folder", folder) == 2
