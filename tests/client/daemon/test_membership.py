"""Joining, and every mistake around it: one sentence, exit code 2 (or 1 from the doctor), no traceback."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import torch
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from flwr.app import Message, RecordDict
from flwr.supercore.task_identity import TaskIdentity

from certs.authority import Authority, make_authority
from certs.key import TLS_CURVE, read_or_make_curve_key
from certs.request import JoinRequest, Welcome, make_welcome, read_document, write_document
from client import cli
from client.account.ledger.ledger import Ledger, create_ledger
from client.account.policy import Policy
from client.command.run import holding
from client.daemon.gateway_client import GatewayClient
from client.daemon.health import Health
from client.daemon.loop import Daemon
from client.daemon.membership import (
    accept_welcome,
    check_certificate,
    read_federation,
    read_membership,
    require_size_class,
)
from client.daemon.merchant import JoinedMerchant
from client.daemon.store import Store
from client.diagnosis.doctor import _check_clock
from client.folder import MerchantFolder
from common.disk.file import write_whole
from common.errors import ConfigError, DataError, PrivacyError
from common.message.decline import DECLINED
from common.message.signature import name_key, public_bytes
from fleet.full_disk import largest_file
from fleet.superlink import free_port

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
COORDINATOR = public_bytes(KEY)

WAITING = """
import json, re, sys
sys.argv = ["hansa-client", "run", "--until-idle", "1"]
from client.__main__ import main
try:
    main()
except SystemExit:
    most = re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())
    print(json.dumps({"modules": sorted(sys.modules), "most_megabytes": int(most[1]) >> 10}))
"""


@pytest.fixture
def home(tmp_path: Path, make_policy: Callable[..., Policy]) -> MerchantFolder:
    folder = tmp_path / "shop"
    folder.mkdir()
    approval = {"coordinators": [name_key(COORDINATOR)], "automatic": {"largest_num_rounds": 50, "smallest_cohort": 3}}
    (folder / "policy.toml").write_text(as_toml(make_policy(approval=approval)))
    return MerchantFolder(folder)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    (tmp_path / "coordinator").mkdir()
    return make_authority(tmp_path / "coordinator", "test")


@pytest.fixture
def hansa(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], home: MerchantFolder
) -> Callable[..., tuple[int, str]]:
    """Run a command in the merchant's folder; give its code and all that it said."""
    monkeypatch.chdir(home.folder)

    def run(*words: object) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["hansa-client", *map(str, words)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as stop:
            cli.main()
        said = capsys.readouterr()
        assert "Traceback" not in said.err
        return int(stop.value.code or 0), said.out + said.err

    return run


def as_toml(policy: Policy) -> str:
    lines: list[str] = []
    sections = policy.model_dump(mode="json", exclude_none=True)
    for name, value in sections.items():
        if not isinstance(value, dict):
            lines.append(f"{name} = {json.dumps(value)}")
    for name, value in sections.items():
        if isinstance(value, dict):
            lines.append(f"[{name}]")
            lines += [f"{key} = {json.dumps(one)}" for key, one in value.items() if not isinstance(one, dict)]
            for key, one in value.items():
                if isinstance(one, dict):
                    lines += [
                        f"[{name}.{key}]",
                        *(f"{json.dumps(inner)} = {json.dumps(it)}" for inner, it in one.items()),
                    ]
    return "\n".join(lines)


def welcome(home: MerchantFolder, authority: Authority, *, days: float = 365, address: str = "127.0.0.1:1") -> Path:
    request = read_document(home.request("north"), JoinRequest)
    answer = make_welcome(
        request,
        federation="test",
        address=address,
        authority=authority.pem.decode(),
        certificate=authority.sign_merchant(request, days=days).decode(),
        key=KEY,
    )
    write_document(answer, home.folder / "welcome.json")
    return home.folder / "welcome.json"


def join(
    hansa: Callable[..., tuple[int, str]], home: MerchantFolder, authority: Authority, *, address: str = "127.0.0.1:1"
) -> None:
    assert hansa("join", "north")[0] == 0
    assert hansa("join", "--welcome", welcome(home, authority, address=address))[0] == 0


def test_joining_takes_two_files_without_a_secret(hansa, home: MerchantFolder, authority: Authority) -> None:
    assert hansa("join", "north")[0] == 0
    for key in (home.tls_key, home.node_key):
        assert stat.S_IMODE(key.stat().st_mode) == 0o600
        assert key.read_text().splitlines()[1] not in home.request("north").read_text()
    before = home.tls_key.read_bytes()
    assert hansa("join", "north")[0] == 0
    assert home.tls_key.read_bytes() == before, "asking again makes no new key"
    code, said = hansa("join", "--welcome", welcome(home, authority), "--json")
    assert code == 0
    assert json.loads(said)["coordinator"] == name_key(COORDINATOR)
    assert read_membership(home).federation.size_class == 32


def test_a_name_that_is_none_is_refused(hansa) -> None:
    for name in ("North", "-north", "north shop", "n" * 64):
        code, said = hansa("join", "--", name)
        assert code == 2, name
        assert len(said.splitlines()) == 1


def test_one_thing_is_asked_of_join_at_a_time(hansa) -> None:
    assert hansa("join")[0] == 2
    assert hansa("join", "north", "--dry-run")[0] == 2
    assert hansa("join", "--dry-run")[0] == 2


def test_a_welcome_of_somebody_else_is_refused(
    hansa, home: MerchantFolder, authority: Authority, tmp_path: Path
) -> None:
    hansa("join", "north")
    file = welcome(home, authority)
    (tmp_path / "other").mkdir()
    other = make_authority(tmp_path / "other", "other")
    own_key = read_or_make_curve_key(home.tls_key, TLS_CURVE)
    wrong = json.loads(file.read_text()) | {"authority": other.pem.decode()}
    with pytest.raises(DataError, match="not signed for it by the authority"):
        check_certificate(Welcome.model_validate_json(json.dumps(wrong)), own_key, now=datetime.now(UTC))
    home.tls_key.unlink()
    another = read_or_make_curve_key(home.tls_key, TLS_CURVE)  # a fresh key, which the certificate is not for
    with pytest.raises(DataError, match=r"is not for the key in tls\.key"):
        check_certificate(read_document(file, Welcome), another, now=datetime.now(UTC))
    code, said = hansa("join", "--welcome", file)
    assert (code, "is not for the key in tls.key" in said) == (2, True)
    home.request("north").unlink()
    code, said = hansa("join", "--welcome", file)
    assert (code, "who never asked from" in said) == (2, True)
    assert hansa("join", "--welcome", home.folder / "nothing.json")[0] == 2


@pytest.mark.parametrize("days", [-3, 400])
def test_a_certificate_out_of_date_is_refused(hansa, home: MerchantFolder, authority: Authority, days: int) -> None:
    join(hansa, home, authority)
    key = read_or_make_curve_key(home.tls_key, TLS_CURVE)
    with pytest.raises(DataError, match="set the clock"):
        check_certificate(read_federation(home).welcome, key, now=datetime.now(UTC) + timedelta(days=days))


def test_the_daemon_starts_only_where_everything_is_there(hansa, home: MerchantFolder, authority: Authority) -> None:
    def mistake(word: str) -> None:
        code, said = hansa("run", "--until-idle", "0")
        assert code == 2
        assert word in said.splitlines()[-1]

    mistake("no federation was joined")
    join(hansa, home, authority)
    mistake("There is no ledger")
    assert hansa("ledger", "open")[0] == 0
    home.node_key.chmod(0o644)
    mistake("chmod 600")
    home.node_key.chmod(0o600)
    with holding(home):
        mistake("Another hansa-client run works on")
    policy = home.policy.read_text()
    home.policy.write_text(policy.replace("size_class = 32", "size_class = 64"))
    mistake("size_class is 64, enrolled was 32")
    home.policy.write_text(policy)
    home.certificate.write_text("nothing")
    mistake("Cannot use")


def test_a_daemon_that_reaches_nobody_stops_when_it_is_idle(hansa, home: MerchantFolder, authority: Authority) -> None:
    join(hansa, home, authority, address=f"127.0.0.1:{free_port()}")
    hansa("ledger", "open")
    code, said = hansa("run", "--until-idle", "1", "--json")
    assert code == 0
    assert "was killed" not in said
    assert all(json.loads(line)["level"] for line in said.splitlines())
    assert "Nobody answers" in said
    assert json.loads(home.health.read_text())["state"] == "stopped"


def test_a_daemon_that_waits_is_light_and_has_nothing_of_what_trains(
    hansa, home: MerchantFolder, authority: Authority
) -> None:
    join(hansa, home, authority)
    hansa("ledger", "open")
    home.health.write_text('{"process": 4194305, "state": "connected"}')  # no system counts processes so far
    said = subprocess.run([sys.executable, "-c", WAITING], capture_output=True, text=True, timeout=60, check=True)
    assert "The daemon before this one was killed." in said.stderr
    found = json.loads(said.stdout)
    assert "Nobody answers" in said.stderr
    assert not {"torch", "pandas", "pyarrow", "opacus", "sklearn", "scipy.stats"} & set(found["modules"])
    assert {"flwr", "httpx"} <= set(found["modules"]), "it did wait at a gateway"
    assert found["most_megabytes"] <= 200


def test_a_daemon_without_the_gpu_that_it_was_told_to_use_says_so_at_once(
    hansa, home: MerchantFolder, authority: Authority
) -> None:
    join(hansa, home, authority)
    for name, fault in (("tpu", "is none of auto, cpu, cuda"), ("cuda", "shows no CUDA device")):
        if name == "cuda" and torch.cuda.is_available():
            continue
        code, said = hansa("run", "--device", name)
        assert (code, f"--device {name}" in said, fault in said) == (2, True, True)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_message_is_declined_where_the_gpu_has_gone_meanwhile(
    hansa,
    home: MerchantFolder,
    authority: Authority,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    join(hansa, home, authority)
    create_ledger(home.ledger)
    for name in ("_task_id", "_run_id", "_node_id"):
        monkeypatch.setattr(TaskIdentity, name, 1)
    membership, asked = read_membership(home), Message(RecordDict(), dst_node_id=7, message_type="train")
    gateway = GatewayClient("127.0.0.1:1", membership.node_key, membership.context)
    with closing(gateway), closing(Ledger(home.ledger)) as ledger:
        merchant = JoinedMerchant(home, membership.federation, ledger, home.folder, "cuda")
        daemon = Daemon(gateway, merchant, Health(home.health), idle_seconds=None, rest_seconds=600.0)
        reply = daemon._answer(asked)
    assert (reply.has_content(), reply.error.reason) == (False, DECLINED)
    assert "this machine shows no CUDA device" in caplog.text


def test_a_running_daemon_takes_up_a_later_welcome_and_none_that_cannot_be_used(
    hansa, home: MerchantFolder, authority: Authority
) -> None:
    join(hansa, home, authority, address="127.0.0.1:1")
    create_ledger(home.ledger)
    membership, ended = read_membership(home), []

    def run() -> None:
        with closing(Ledger(home.ledger)) as ledger:
            merchant = JoinedMerchant(home, membership.federation, ledger, home.folder, "cpu")
            gateway = GatewayClient("127.0.0.1:1", membership.node_key, membership.context)
            with closing(gateway):
                ended.append(
                    Daemon(gateway, merchant, Health(home.health), idle_seconds=90.0, rest_seconds=600.0).run()
                )

    thread = threading.Thread(target=run)
    thread.start()
    kept = home.federation.read_bytes()
    home.federation.write_bytes(b"{}")
    thread.join(3.0)
    assert thread.is_alive(), "what cannot be read is not taken up"
    home.federation.write_bytes(kept)
    join(hansa, home, authority, address="127.0.0.1:2")
    thread.join(60.0)
    assert ended == [True], "it goes on in a fresh process, which reads the later one"


def test_a_health_port_that_is_taken_is_a_sentence(hansa, home: MerchantFolder, authority: Authority) -> None:
    import socket

    join(hansa, home, authority)
    hansa("ledger", "open")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        code, said = hansa("run", "--health-port", taken.getsockname()[1])
    assert (code, "choose another --health-port" in said) == (2, True)


def test_the_doctor_names_every_fault_and_how_to_mend_it(hansa, home: MerchantFolder, authority: Authority) -> None:
    code, said = hansa("doctor", "--json")
    verdicts = {verdict["name"]: verdict for verdict in json.loads(said)}
    assert code == 1
    assert {name for name, verdict in verdicts.items() if verdict["is_fault"]} == {
        "ledger", "keys", "certificate", "size class", "approval", "gateway",
    }  # fmt: skip
    join(hansa, home, authority, address=f"127.0.0.1:{free_port()}")
    hansa("ledger", "open")
    code, said = hansa("doctor", "--json")
    faults = [verdict for verdict in json.loads(said) if verdict["is_fault"]]
    assert [(fault["name"], "Nobody answers" in fault["sentence"]) for fault in faults] == [("gateway", True)]


def test_a_clock_that_is_off_is_a_fault() -> None:
    now = datetime.now(UTC)
    assert "at most" in _check_clock(now - timedelta(seconds=50), now)
    for off in (timedelta(hours=1), -timedelta(hours=1)):
        with pytest.raises(ConfigError, match="set it right"):
            _check_clock(now + off, now)


def test_a_size_class_that_was_not_enrolled_is_refused(
    hansa, home: MerchantFolder, authority: Authority, make_policy: Callable[..., Policy]
) -> None:
    join(hansa, home, authority)
    require_size_class(make_policy(), read_federation(home))
    with pytest.raises(PrivacyError, match="enrolled was 32"):
        require_size_class(make_policy(size_class=64), read_federation(home))


def test_a_full_disk_is_a_sentence_and_leaves_the_old_file(tmp_path: Path) -> None:
    file = tmp_path / "models" / "model"
    write_whole(file, b"old")
    with largest_file(1000), pytest.raises(ConfigError, match="make room"):
        write_whole(file, bytes(2000))
    assert file.read_bytes() == b"old"
    assert [path.name for path in file.parent.iterdir()] == ["model"]


def test_a_folder_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="Cannot write"):
        write_whole(tmp_path / "file" / "model", b"")
    with pytest.raises(ConfigError, match="make it writable"), holding(MerchantFolder(tmp_path / "file")):
        pass


def test_forecasts_need_a_model(hansa, home: MerchantFolder, authority: Authority) -> None:
    code, said = hansa("predict", "--out", "forecasts.csv")
    assert (code, "no federation was joined" in said) == (2, True)
    join(hansa, home, authority)
    code, said = hansa("predict", "--out", "forecasts.csv")
    assert (code, "There is no model" in said) == (2, True)
    (home.models).mkdir()
    (home.models / "model.safetensors").write_bytes(b"nothing")
    with pytest.raises(DataError, match="damaged"):
        Store(home.models, COORDINATOR).newest_model()


def test_an_old_welcome_does_not_roll_a_merchant_back(hansa, home: MerchantFolder, authority: Authority) -> None:
    """Neither to an old address nor to anything else that it says: it answers a request that is not the latest."""
    assert hansa("join", "north")[0] == 0
    old = welcome(home, authority, address="127.0.0.1:1").read_bytes()
    assert hansa("join", "--welcome", home.folder / "welcome.json")[0] == 0
    join(hansa, home, authority, address="127.0.0.1:2")
    (home.folder / "old.json").write_bytes(old)
    code, said = hansa("join", "--welcome", home.folder / "old.json")
    assert (code, len(said.splitlines()), "answers another request than the latest" in said) == (2, 1, True)
    assert read_federation(home).welcome.address == "127.0.0.1:2"


def test_a_welcome_that_was_changed_on_its_way_is_refused(hansa, home: MerchantFolder, authority: Authority) -> None:
    assert hansa("join", "north")[0] == 0
    file = welcome(home, authority)
    file.write_text(file.read_text().replace("127.0.0.1:1", "127.0.0.1:3"))
    code, said = hansa("join", "--welcome", file)
    assert (code, "not as its coordinator signed it" in said) == (2, True)


def test_a_welcome_with_a_strange_address_is_refused(hansa, home: MerchantFolder, authority: Authority) -> None:
    hansa("join", "north")
    with pytest.raises(DataError, match="host:port"):
        accept_welcome(home, welcome(home, authority, address="127.0.0.1:1/elsewhere"))
