"""A small invented shop that is served by `hansa-client serve`, as a process of its own, over real sockets."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import httpx

from small_shop import START, draw_sales, make_shop

DAYS, PRODUCTS = 120, 3
SOURCE = """
[[sources]]
name = "till"
location = "till.csv"
columns = { order = "order", day = "day", product = "product", quantity = "quantity" }
"""
PATIENCE_SECONDS = 400.0  # on a machine that is busy with other things


def make_served_shop(folder: Path) -> Path:
    """Four months of three products, one called =1+1 <script>, with a source that files can be handed in for."""
    sold = draw_sales(days=DAYS, products=PRODUCTS)
    named = [("=1+1 <script>" if product == "P0" else product, day, units) for product, day, units in sold]
    return make_shop(folder, named, SOURCE)


def next_rows(first: date = START + timedelta(days=DAYS), *, number: int = 3) -> bytes:
    """A till's export of the days after."""
    days = [first + timedelta(days=day) for day in range(number)]
    return ("order,day,product,quantity\n" + "".join(f"n{day},{day},P1,7\n" for day in days)).encode()


@dataclass(frozen=True)
class Serving:
    """A server that runs."""

    folder: Path
    address: str
    page: str
    token: str
    process: subprocess.Popen[str]
    grpc: str = ""

    @property
    def client(self) -> httpx.Client:
        """Who has the token."""
        headers = {"authorization": f"Bearer {self.token}"}
        return httpx.Client(base_url=self.address, headers=headers, timeout=PATIENCE_SECONDS, trust_env=False)

    def ask(self, path: str, **options: Any) -> httpx.Response:
        with self.client as client:
            return client.get(path, **options)

    def status(self) -> dict[str, Any]:
        return self.ask("/api/v1/status").json()

    def await_edition(self, *, but: str = "", seconds: float = PATIENCE_SECONDS) -> str:
        """Wait until an edition is served that is not stale, and give its name."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            said = self.status()
            if said["edition"] and said["edition"]["name"] != but and not said["is_stale"]:
                return str(said["edition"]["name"])
            assert not said["trouble"], said
            time.sleep(0.2)
        raise AssertionError(f"no edition came: {self.status()}")

    def children(self) -> list[int]:
        """Processes that it has started."""
        found = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [int(number) for number in found.split()]


@contextmanager
def serving(folder: Path, *options: str) -> Iterator[Serving]:
    """Serve a shop until this is left."""
    command = [sys.executable, "-m", "client", "serve", "--folder", str(folder), "--no-open", "--json"]
    ports = [] if "--port" in options else ["--port", "0", "--grpc-port", "0"]
    process = subprocess.Popen(
        [*command, *ports, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ}
    )
    try:
        assert process.stdout is not None
        text = ""
        while "}" not in text:
            line = process.stdout.readline()
            assert line, process.communicate()[1]
            text += line
        said = json.loads(text)
        yield Serving(folder, said["address"], said["page"], said["token"], process, said["grpc"])
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.communicate(timeout=PATIENCE_SECONDS)
