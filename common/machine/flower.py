"""What Flower may do behind our back: nothing."""

import os

SETTINGS = {
    "FLWR_TELEMETRY_ENABLED": "0",  # no usage events to flower.ai
    "FLWR_DISABLE_UPDATE_CHECK": "1",  # no question to flower.ai about newer versions
    "FLWR_DISABLE_RUNTIME_DEPENDENCY_INSTALLATION": "1",  # no `uv sync` on what an app asks for
}


def silence_flower() -> None:
    """Switch off Flower's telemetry, update check and dependency installation, unless the user set them.

    Notes
    -----
    Flower reads the first setting once, while it is imported, and every process that it starts inherits all
    three. The import sorter puts `flwr` above our own modules, so no module of ours can run before it; but
    Python runs a package's `__init__` before any module in it. Each of the four packages calls this there.
    """
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
