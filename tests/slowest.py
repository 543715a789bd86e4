"""The slowest files of the default suite, which begin first: no worker has a minute left when the others are done.

The first waits more than it computes, which leaves its core to the others. A file that becomes one of the slowest, by
`pytest --durations=40`, belongs here.
"""

from pathlib import Path

NAMES = (
    "network/test_federation.py",
    "network/test_sum.py",
    "client/audit/test_replay.py",
    "client/audit/test_further.py",
    "network/test_mischief.py",
    "simulation/synthetic/pretraining/test_train.py",
    "server/coordinator/test_loop.py",
    "server/coordinator/test_sum_loop.py",
    "client/audit/test_planted.py",
    "network/test_gateway.py",
    "simulation/experiment/test_run.py",
    "client/data/test_rows.py",
    "simulation/test_cli.py",
    "simulation/experiment/test_audit.py",
    "network/test_return.py",
    "server/process/test_door.py",
    "client/audit/test_channel.py",
    "vectors/test_old_merchant.py",
    "client/daemon/test_gateway_client.py",
    "client/forecast/test_out_of_stock.py",
    "client/shop/setup/test_init.py",
    "client/shop/demo/test_demo.py",
    "client/account/test_kill.py",
    "client/shop/history/test_disk.py",
)


def paths() -> list[Path]:
    """Give the files, the slowest first."""
    return [Path(__file__).parent / name for name in NAMES]
