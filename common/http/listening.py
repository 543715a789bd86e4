"""Listen on a port, or say in a sentence why not."""

from __future__ import annotations

import socket

from common.errors import ConfigError

BACKLOG = 2048


def listen(host: str, port: int, *, advice: str = "stop who has it") -> list[socket.socket]:
    """Listen on every address that a host has.

    Raises
    ------
    ConfigError
        There is no such host, or somebody listens there already.
    """
    try:
        found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise ConfigError(
            f"There is no host {host!r} here ({error.strerror}); give an address of this machine."
        ) from error
    listeners = list[socket.socket]()
    for family, _, _, _, address in dict.fromkeys(found):
        try:
            listener = socket.create_server(address[:2], family=family, backlog=BACKLOG)
        except OSError as error:
            for other in listeners:
                other.close()
            raise ConfigError(f"Port {port} on {host} cannot be used: {error.strerror}; {advice}.") from error
        listener.setblocking(False)
        listeners.append(listener)
    return listeners
