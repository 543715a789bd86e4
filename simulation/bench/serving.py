"""Answers per second of `hansa-client serve` over the inference protocol, beside MLServer with the same models.

Both are asked over REST, in JSON, by the same client with the same bodies, turn by turn: `shop`, forecasts that were
made before, and `demand`, forecasts worked out afresh of a year of days. MLServer is of an environment of its own
(`make mlserver`); without it only hansa is measured. Its runtime calls the same code with the same data
(`simulation.bench.mlserver_runtime`), once as it comes, and once with its adaptive batching.

Seconds of CPU of all the processes of a server are counted too: they say what an answer costs, whatever else the
machine does.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import numpy as np

from common.errors import ConfigError
from common.http.listening import listen
from simulation.bench.cpu import SMALLEST_SECONDS, cpu_seconds

LAST, DAYS = date(2026, 9, 30), 120  # of the shop whose forecasts are served
HISTORY_DAYS, HISTORIES = 365, 64  # that are forecast afresh
CLIENTS, QUICK_CLIENTS = (1, 32), (1, 4)
TURNS, QUICK_TURNS = 3, 1
QUICK_SECONDS = 1.0
START_SECONDS = 300.0
MODELS = ("shop", "demand")
BATCHING = {"max_batch_size": 32, "max_batch_time": 0.01}


@dataclass(frozen=True)
class Contestant:
    """A server that runs.

    Attributes
    ----------
    head
        Of every request, beside what HTTP asks for.
    """

    name: str
    port: int
    process: subprocess.Popen[bytes]
    head: str = ""

    def ask(self, path: str, body: Any = None) -> httpx.Response:
        """Ask once."""
        headers = dict([self.head.strip().split(": ", 1)]) if self.head else {}
        url = f"http://127.0.0.1:{self.port}{path}"
        with httpx.Client(headers=headers, timeout=START_SECONDS, trust_env=False) as client:
            return client.get(url) if body is None else client.post(url, json=body)

    def wait(self) -> None:
        """Wait until both models answer.

        Raises
        ------
        ConfigError
            They do not.
        """
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until and self.process.poll() is None:
            try:
                if all(self.ask(f"/v2/models/{model}/ready").status_code == 200 for model in MODELS):
                    return
            except httpx.HTTPError:
                pass
            time.sleep(0.5)
        raise ConfigError(f"{self.name} does not answer; leave --mlserver out, or see whether it starts by itself.")

    def cpu_seconds(self) -> float:
        """Seconds of CPU that the server and what it has started have used."""
        return cpu_seconds(self.process.pid)


def time_serving(*, quick: bool, patience_seconds: float, mlserver: Path | None) -> list[dict[str, Any]]:
    """Measure every model and number of clients.

    Parameters
    ----------
    mlserver
        Its command; None, and it is left out.

    Raises
    ------
    ConfigError
        A server does not start.
    """
    seconds = QUICK_SECONDS if quick else max(patience_seconds, QUICK_SECONDS)
    with TemporaryDirectory() as place, ExitStack() as stack:
        ours = stack.enter_context(_serve(Path(place) / "shop"))
        bodies = _make_bodies(ours)
        contestants = [ours]
        if mlserver is not None:
            products, arrays = _list_products(ours), _read_forecasts(ours)
            file = Path(place) / "forecasts.npz"
            np.savez(file, products=np.array(products), mean=arrays["mean"], quantiles=arrays["quantiles"])
            for name, batching in (("mlserver", {}), ("mlserver_batching", BATCHING)):
                started = _start_mlserver(mlserver, Path(place) / name, name, batching)
                contestants.append(stack.enter_context(started))
        for each in contestants:
            each.wait()
        clients = QUICK_CLIENTS if quick else CLIENTS
        turns = QUICK_TURNS if quick else TURNS
        return [
            _measure(contestants, model, bodies[model], clients=number, turns=turns, seconds=seconds)
            for model in MODELS
            for number in clients
        ]


def _measure(
    contestants: list[Contestant], model: str, bodies: list[str], *, clients: int, turns: int, seconds: float
) -> dict[str, Any]:
    seen: dict[str, list[dict[str, float]]] = {each.name: [] for each in contestants}
    for turn in range(turns + 1):
        for each in contestants:
            found = _load(each, model, bodies, clients=clients, seconds=seconds if turn else QUICK_SECONDS)
            if turn:  # the first warms up
                seen[each.name].append(found)
    measured = {
        name: {key: statistics.median(one[key] for one in found) for key in found[0]} for name, found in seen.items()
    }
    first = contestants[0].name
    return {
        "served": model,
        "clients": clients,
        "measured": measured,
        "comparisons": [
            {"of": first, "to": each.name, "what": what, "ratio": _ratio(measured, first, each.name, key)}
            for each in contestants[1:]
            for what, key in (("answers per second", "per_second"), ("CPU of an answer", "cpu_milliseconds"))
        ],
    }


def _ratio(measured: dict[str, dict[str, float]], one: str, other: str, key: str) -> float:
    return measured[one][key] / measured[other][key]


def _load(each: Contestant, model: str, bodies: list[str], *, clients: int, seconds: float) -> dict[str, float]:
    asked = {
        "host": "127.0.0.1",
        "port": each.port,
        "head": f"POST /v2/models/{model}/infer HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        f"Content-Type: application/json\r\n{each.head}",
        "bodies": bodies,
        "clients": clients,
        "seconds": seconds,
    }
    before = each.cpu_seconds()
    command = [sys.executable, "-m", "simulation.bench.load"]
    done = subprocess.run(command, input=json.dumps(asked), capture_output=True, text=True, check=True)  # noqa: S603
    found, used = json.loads(done.stdout), each.cpu_seconds() - before
    if found["faults"] or not found["answers"]:
        raise ConfigError(f"{each.name} answered {found['faults']} of {found['answers']} requests with an error.")
    return {
        "per_second": found["answers"] / found["seconds"],
        "p50_milliseconds": found["p50"],
        "p99_milliseconds": found["p99"],
        "cpu_milliseconds": max(used, SMALLEST_SECONDS) * 1e3 / found["answers"],
    }


@contextmanager
def _serve(folder: Path) -> Iterator[Contestant]:
    from client.shop.demo.founding import found_demo

    found_demo(folder, LAST, days=DAYS)
    command = [sys.executable, "-m", "client", "serve", "--folder", str(folder), "--port", "0", "--grpc-port", "0"]
    with _running([*command, "--no-open", "--json"], os.environ.copy(), folder) as process:
        assert process.stdout is not None  # noqa: S101  for mypy
        said = b""
        while not said.rstrip().endswith(b"}"):
            line = process.stdout.readline()
            if not line:
                raise ConfigError("hansa-client serve does not start; see what it says by itself.")
            said += line
        document = json.loads(said)
        port = int(document["address"].rpartition(":")[2])
        yield Contestant("hansa", port, process, f"Authorization: Bearer {document['token']}\r\n")


@contextmanager
def _start_mlserver(command: Path, folder: Path, name: str, batching: dict[str, Any]) -> Iterator[Contestant]:
    ports = [_free_port() for _ in range(3)]
    names = ("http_port", "grpc_port", "metrics_port")
    settings = {"host": "127.0.0.1", "debug": False, **dict(zip(names, ports, strict=True))}
    folder.mkdir()
    (folder / "settings.json").write_text(json.dumps(settings), encoding="utf-8")
    for model in MODELS:
        (folder / model).mkdir()
        implementation = f"simulation.bench.mlserver_runtime.{model.capitalize()}"
        about = {"name": model, "implementation": implementation, **(batching if model == "demand" else {})}
        (folder / model / "model-settings.json").write_text(json.dumps(about), encoding="utf-8")
    root = Path(__file__).parents[2]
    behind = os.pathsep.join(path for path in sys.path if "site-packages" in path)
    environment = os.environ | {
        "PYTHONPATH": str(root),
        "HANSA_PATH": behind,
        "HANSA_FORECASTS": str(folder.parent / "forecasts.npz"),
    }
    with _running([str(command), "start", str(folder)], environment, folder) as process:
        yield Contestant(name, ports[0], process)


@contextmanager
def _running(command: list[str], environment: dict[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with open(f"{log}.log", "wb") as said:
        process = subprocess.Popen(  # noqa: S603  our own words
            command,
            env=environment,
            cwd=log.parent,  # MLServer writes its metrics where it is started
            stdout=subprocess.PIPE if "client" in command else said,
            stderr=said,
        )
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if process.stdout is not None:
                process.stdout.close()


def _free_port() -> int:
    (listener,) = listen("127.0.0.1", 0)
    with listener:
        return int(listener.getsockname()[1])


def _read_forecasts(ours: Contestant) -> dict[str, np.ndarray]:
    ours.wait()
    products = _list_products(ours)
    body = {"inputs": [{"name": "product", "datatype": "BYTES", "shape": [len(products)], "data": products}]}
    outputs = ours.ask("/v2/models/shop/infer", body).json()["outputs"]
    return {each["name"]: np.array(each["data"], np.float64).reshape(each["shape"]) for each in outputs}


def _list_products(ours: Contestant) -> list[str]:
    found = ours.ask("/api/v1/forecasts?limit=100").json()["products"]
    return [each["product"] for each in found]


def _make_bodies(ours: Contestant) -> dict[str, list[str]]:
    ours.wait()
    generator = np.random.default_rng(0)
    return {
        "shop": [_write("product", "BYTES", [1], [product]) for product in _list_products(ours)],
        "demand": [
            _write("units", "FP64", [1, HISTORY_DAYS], generator.poisson(3.0, HISTORY_DAYS).tolist())
            for _ in range(HISTORIES)
        ],
    }


def _write(name: str, datatype: str, shape: list[int], data: list[Any]) -> str:
    return json.dumps({"inputs": [{"name": name, "datatype": datatype, "shape": shape, "data": data}]})
