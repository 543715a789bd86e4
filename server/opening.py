"""Open a federation's registry as its commands and its page do: closed to others, where there is a federation."""

from __future__ import annotations

from server.folder import CoordinatorFolder
from server.modes import owner_only
from server.registry.registry import Registry


def open_registry(home: CoordinatorFolder) -> Registry:
    """Open it; its caller closes it.

    Raises
    ------
    ConfigError
        There is no federation.
    DataError
        The registry is damaged.
    """
    home.read_settings()
    with owner_only():
        return Registry(home.registry)
