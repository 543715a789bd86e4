"""A merchant, a coordinator and a researcher with every file that their commands read, made by those commands."""

from __future__ import annotations

import json
import logging
import os
import shutil
import signal
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib import import_module
from io import StringIO
from pathlib import Path

import torch
from safetensors.torch import save

from certs.key import read_or_make_signing_key
from client.account.ledger.ledger import Ledger
from client.daemon.handlers import Handlers
from client.daemon.health import Health
from client.daemon.membership import read_federation
from client.folder import MerchantFolder
from common.command.signals import EXIT_INTERRUPTED, EXIT_TERMINATED
from common.message import release
from common.message.proposal import encode_signed, parse_proposal
from common.message.release import Release, ReleaseNote, encode_release
from common.message.round import RoundRequest, encode_request
from common.message.signature import name_key, public_bytes, sign
from common.message.vector import hash_vector
from fleet.shop import POLICY, write_rows
from server.coordinator.session import begin
from server.folder import CoordinatorFolder
from server.registry.registry import Registry
from server.round.checkpoint import save_checkpoint
from simulation.report.markdown import BEGIN, END

LONGEST_SECONDS = 120.0  # of one command; one that waits for a pipe takes for ever
PROGRAMS = {"hansa-client": "client.cli", "hansa-server": "server.cli", "hansa-sim": "simulation.cli"}
PLAN = """\
name = "small"

[data]
path = "rows.csv"
rows = "events"
entity = "customer"
time = "time"
target = { aggregate = "rows" }
start = 2024-01-01
end = 2024-03-31

[model]
step = "day"
horizon_days = 4
likelihood = "negative_binomial"
hidden_size = 3
decoder_size = 4
window_steps = 12
positions = 3

[privacy]
unit = "customer"
training = { num_rounds = 3 }

[federation]
training = { num_rounds = 3 }

[evaluation]
origins = [2024-03-01]
methods = ["anchor", "federated_eps8"]
"""


@dataclass(frozen=True)
class Finished:
    """What a command left when it ended; `raised` is what nobody caught."""

    code: int
    stdout: str
    stderr: str
    raised: str = ""


def run(program: str, *words: object) -> Finished:
    """Run a command in this process, by the `main` that the installed script calls.

    A program hears Ctrl-C and SIGTERM for as long as it runs; who sends one of them to the tests means the tests.
    """
    out, err, before = StringIO(), StringIO(), sys.argv
    sys.argv = [program, *map(str, words)]
    with redirect_stdout(out), redirect_stderr(err), _hurried(), _undone():
        try:
            import_module(PROGRAMS[program]).main()
        except SystemExit as stop:
            if stop.code in (EXIT_INTERRUPTED, EXIT_TERMINATED):
                raise KeyboardInterrupt from stop
            return Finished(int(stop.code or 0), out.getvalue(), err.getvalue())
        except (Exception, WaitedForEver) as error:
            return Finished(1, out.getvalue(), err.getvalue(), f"{type(error).__name__}: {error}")
        finally:
            sys.argv = before
    raise AssertionError("a program ends its process")


@contextmanager
def _undone() -> Iterator[None]:
    """Undo what a program does to its process for good, as `up` does."""
    logger, umask = logging.getLogger(), os.umask(0o022)
    os.umask(umask)
    handlers, level = logger.handlers[:], logger.level
    try:
        yield
    finally:
        os.umask(umask)
        logger.handlers[:] = handlers
        logger.setLevel(level)


class WaitedForEver(BaseException):
    """No OSError, as TimeoutError is one, which a command would make a sentence of."""


@contextmanager
def _hurried() -> Iterator[None]:
    """End whatever waits for ever."""

    def stop(*_: object) -> None:
        raise WaitedForEver

    before = signal.signal(signal.SIGALRM, stop)
    # Again and again: what is raised in a callback, Python prints and drops.
    signal.setitimer(signal.ITIMER_REAL, LONGEST_SECONDS, 1.0)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)


def done(program: str, *words: object) -> Finished:
    """Run a command that must succeed."""
    finished = run(program, *words)
    assert finished.code == 0, finished
    return finished


def make_homes(root: Path) -> Path:
    """Found a federation, let a merchant join, hold a round between both ends, release a model, and run a study."""

    fed, shop, study = root / "fed", root / "shop", root / "study"
    for place in (shop, study):
        place.mkdir()
        (place / "plan.toml").write_text(PLAN)
        write_rows(place / "rows.csv", seed=0, num_customers=6)
    done("hansa-server", "init", "hanse", "--folder", fed)
    key = read_or_make_signing_key(fed / "signing.key")
    (shop / "policy.toml").write_text(POLICY.replace("{coordinators}", f'"{name_key(public_bytes(key))}"'))
    done("hansa-client", "ledger", "open", "--folder", shop)
    done("hansa-client", "join", "north", "--folder", shop)
    welcome = shop / "north.welcome.json"
    done("hansa-server", "enroll", shop / "north.request.json", "--out", welcome, "--folder", fed)
    done("hansa-client", "join", "--welcome", welcome, "--folder", shop)
    done("hansa-server", "launch", shop / "plan.toml", "--folder", fed)
    (fed / "plan.toml").write_text(PLAN.replace('"small"', '"next"'))
    _hold_round(MerchantFolder(shop), CoordinatorFolder(fed))
    done("hansa-client", "card", "--out", shop / "card.html", "--folder", shop)
    _write_documents(shop, fed)
    done("hansa-client", "backup", shop / "kept.tar", "--folder", shop)
    done("hansa-server", "backup", fed / "kept.tar", "--folder", fed)
    _run_study(study)
    _import_orders(root / "store")
    return root


def _import_orders(store: Path) -> None:
    """A shop that was set up from an export; what is done with a newer one reads the same file."""
    store.mkdir()
    lines = ["day,product,quantity,order"]
    for day in range(120):
        date = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(days=day)
        lines += [f"{date:%Y-%m-%d},p{number},{1 + (day + number) % 3},{day}-{number}" for number in range(3)]
    (store / "orders.csv").write_text("\n".join(lines) + "\n")
    told = ("--time-zone", "UTC", "--currency", "EUR", "--country", "DE")
    done("hansa-client", "init", store / "orders.csv", "--folder", store, "--yes", *told)
    (store / "plan.toml").write_text(PLAN.replace('"customer"', '"product"').replace('"rows.csv"', '"made.csv"'))


def _hold_round(shop: MerchantFolder, fed: CoordinatorFolder) -> None:
    key = read_or_make_signing_key(fed.signing_key)
    with closing(Registry(fed.registry)) as registry, closing(Ledger(shop.ledger)) as ledger:
        (launch,) = registry.launches()
        session = begin(fed, launch)
        save_checkpoint(session.state, session.folder / "checkpoint.safetensors", plan_hash=launch.run_hash)
        session.journal.write("round", round=1, answered=["north"], refused={}, seconds=0.1)
        offered = parse_proposal(launch.signed.content)
        handlers = Handlers(shop, read_federation(shop), ledger, data_root=shop.folder, device=torch.device("cpu"))
        handlers.consider(encode_signed(launch.signed))
        parameters = session.state.parameters.to(torch.float32)
        handlers.answer(encode_request(RoundRequest(launch.run_hash, 1, hash_vector(parameters), parameters)))
        note = ReleaseNote(
            plan=offered.plan,
            private=True,
            round_number=3,
            model_hash=hash_vector(parameters),
            num_parameters=len(parameters),
            released_at=datetime.now(UTC),
            members=(),
            software="test",
        )
        signed = sign(note.to_bytes(), key, purpose=release.PURPOSE)
        handlers.keep(encode_release(Release(signed, parameters)))
        (fed.folder / "model.hash").write_text(note.model_hash)
        fed.models.mkdir()
        file = f"{launch.run_hash}.safetensors"
        (fed.models / file).write_bytes(save({"parameters": parameters}))
        registry.add_model(
            signed,
            model_hash=note.model_hash,
            launch=launch.number,
            round_number=3,
            file=file,
            released_at=note.released_at,
        )
    Health(shop.health).change_state("connected", node_id=1)


def _write_documents(shop: Path, fed: Path) -> None:
    """Write what `card` takes beside the ledger, and what the coordinator was sent."""
    shutil.copy(shop / "north.request.json", fed)
    audit = run(
        "hansa-client",
        "audit",
        shop / "plan.toml",
        "--data-root",
        shop,
        "--level",
        "accounting",
        "--json",
        "--folder",
        shop,
    )
    (shop / "audit.json").write_text(audit.stdout)
    member = {"size_class": 32, "noise_multiplier": 2.0}
    (shop / "cohort.json").write_text(json.dumps({"members": [member, member], "own": 0, "weight_cap": 0.5}))


def _run_study(study: Path) -> None:
    plan = study / "plan.toml"
    plan.write_text(PLAN.replace('time = "time"', 'time = "time"\nmerchant = "shop"'))
    rows = (study / "rows.csv").read_text().splitlines()
    (study / "rows.csv").write_text("\n".join([f"{rows[0]},shop", *(f"{row},s" for row in rows[1:])]) + "\n")
    done("hansa-sim", "run", plan, "--out", study / "run", "--data-root", study)
    (study / "results.md").write_text(f"{BEGIN}\n{END}\n")
    (study / "bench.json").write_text(json.dumps({"schema": 1, "machine": {}}))
