"""Who may take part: members are made known to the SuperLink, and looked for."""

from __future__ import annotations

import time

from flwr.serverapp import Grid

from server.process.superlink import SuperLink
from server.registry.registry import Member, Registry

ONLINE_SECONDS = 2.0  # for how long the list of who is connected is taken as true


class Members:
    """The members of a federation, as registry and SuperLink know them."""

    def __init__(self, registry: Registry, superlink: SuperLink, grid: Grid) -> None:
        self._registry, self._superlink, self._grid = registry, superlink, grid
        self._online: frozenset[int] = frozenset()
        self._looked_at = -ONLINE_SECONDS
        for member in registry.members():
            registry.note_node(member.name, None)  # the SuperLink may have lost its database, so all are looked up

    def admit(self) -> dict[str, Member]:
        """Make the SuperLink know who is enrolled and forget who was revoked; return who is welcome."""
        known = self._registry.members()
        changed = [member for member in known if member.is_welcome != (member.node_id is not None)]
        for member in changed:
            self._registry.note_node(member.name, self._change(member))
        found = self._registry.members() if changed else known
        return {member.name: member for member in found if member.is_welcome}

    def is_online(self, member: Member) -> bool:
        """Whether a member is connected, at most two seconds late."""
        if time.monotonic() - self._looked_at > ONLINE_SECONDS:
            self._online = frozenset(self._grid.get_node_ids())
            self._looked_at = time.monotonic()
        return member.node_id in self._online

    def _change(self, member: Member) -> int | None:
        if member.is_welcome:
            return self._superlink.register(member.node_key)
        assert member.node_id is not None  # noqa: S101  for mypy: else nothing would have changed
        self._superlink.unregister(member.node_id)
        return None
