"""A merchant's policy and ledger, and a coordinator's offer, small; real database servers with an empty database."""

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from client.account.agreement import Offer
from client.account.ledger.entry import Spend
from client.account.ledger.ledger import Ledger, create_ledger
from client.account.policy import Policy
from common.plan.schema import Plan
from fleet.database_server import DatabaseServer, running_server

NOON = datetime(2025, 6, 1, 12, tzinfo=UTC)
COORDINATOR = "c" * 64
DELTA = 1e-5
POLICY: dict[str, Any] = {
    "dataset": "shop",
    "unit": "customer",
    "size_class": 32,
    "data": {"entity": "customer", "files": {"rows.csv": ["customer", "time"]}},
    "budget": {"epsilon": 4.0, "period_epsilon": 4.0, "period_days": 365, "delta": DELTA},
    "plan": {"epsilon": 2.0, "smallest_noise_multiplier": 1.0, "largest_num_rounds": 50, "smallest_cohort": 3},
    "approval": {
        "coordinators": [COORDINATOR],
        "automatic": {"largest_num_rounds": 50, "smallest_cohort": 3},
    },
}


@pytest.fixture
def make_policy() -> Callable[..., Policy]:
    """Make a policy; nested mappings are laid over its sections, key by key."""

    def make(**sections: Any) -> Policy:
        return Policy.model_validate_json(json.dumps(_lay_over(POLICY, sections)))

    return make


@pytest.fixture
def make_offer(make_plan: Callable[..., Plan]) -> Callable[..., Offer]:
    """Make an approved coordinator's offer of a small plan of 3 rounds."""

    def make(*, num_rounds: int = 3, private: bool = True, plan: dict[str, Any] | None = None, **said: Any) -> Offer:
        training = {"num_rounds": num_rounds}
        sections = _lay_over({"privacy": {"training": training}, "federation": {"training": training}}, plan or {})
        fields = {"private": private, "coordinator": COORDINATOR, "cohort_size": 5} | said
        return Offer(plan=make_plan(**sections), **fields)

    return make


@pytest.fixture
def make_spend() -> Callable[..., Spend]:
    """Make the spend of one round."""

    def make(**fields: Any) -> Spend:
        usual = {
            "at": NOON,
            "dataset": "shop",
            "unit": "customer",
            "units_per_customer": None,
            "coordinator": COORDINATOR,
            "plan": "small",
            "plan_hash": "a" * 64,
            "round_number": 1,
            "model_hash": "b" * 64,
            "clipping_norm": 1.0,
            "noise_multiplier": 4.0,
            "num_coordinates": 100,
        }
        return Spend(**{**usual, **fields})

    return make


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """Make a ledger with one account, for the customers of the shop."""
    create_ledger(tmp_path / "ledger.sqlite")
    with closing(Ledger(tmp_path / "ledger.sqlite")) as opened:
        opened.open_account("shop", "customer", delta=DELTA, at=NOON)
        yield opened


@pytest.fixture(scope="session")
def postgres() -> Iterator[DatabaseServer]:
    """Run a PostgreSQL server of this process's own."""
    with running_server("postgresql") as server:
        yield server


@pytest.fixture(scope="session")
def mariadb() -> Iterator[DatabaseServer]:
    """Run a MariaDB server of this process's own."""
    with running_server("mariadb") as server:
        yield server


@pytest.fixture
def postgres_url(postgres: DatabaseServer) -> Iterator[str]:
    """Lend an empty database of PostgreSQL by its URL; whoever has it may do anything there."""
    with postgres.database() as name:
        yield postgres.url(name)


@pytest.fixture
def mariadb_url(mariadb: DatabaseServer) -> Iterator[str]:
    """Lend an empty database of MariaDB by its URL; whoever has it may do anything there."""
    with mariadb.database() as name:
        yield mariadb.url(name)


def _lay_over(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    both = {
        key: _lay_over(below[key], value) if isinstance(value, dict) and isinstance(below.get(key), dict) else value
        for key, value in above.items()
    }
    return {**below, **both}
