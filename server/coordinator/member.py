"""Who may take part: members are made known to the SuperLink, and looked for; who was revoked is shut out there.

Whatever happened between two looks, only what the registry says now counts: revoked and enrolled again in between, a
member has another node than before, and nothing that was asked of the one before is answered (docs/protocol.md §7.2).
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

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
        self._left: set[str] = set()
        self._welcome: Mapping[str, Member] = {}
        self._state: tuple[int, int] | None = None  # of the registry, when it was read
        registry.forget_nodes()  # the SuperLink may have lost its database, so all are looked up
        self._shut_strangers_out()

    def admit(self) -> Mapping[str, Member]:
        """Make the SuperLink know who is enrolled, and shut out who was revoked; return who is welcome.

        Cheap where nothing has changed: it is asked at every look at the answers of a round.
        """
        if self._registry.state == self._state:
            return self._welcome
        state = self._registry.state  # before it is read: what is written meanwhile is looked at the next time
        for node_id, name in self._registry.left().items():
            self._superlink.unregister(node_id)
            self._registry.note_shut_out(node_id)
            self._left.add(name)
        known = self._registry.members()
        new = [member for member in known if member.is_welcome and member.node_id is None]
        if new:
            self._register(new)
        found = self._registry.members() if new else known
        self._welcome = {member.name: member for member in found if member.is_welcome and member.node_id is not None}
        self._state = state if not new else None
        return self._welcome

    def take_left(self) -> set[str]:
        """Name, once, whose node was shut out since the last time, whether or not it has another one by now."""
        left, self._left = self._left, set()
        return left

    def is_online(self, member: Member) -> bool:
        """Whether a member is connected, at most two seconds late."""
        if time.monotonic() - self._looked_at > ONLINE_SECONDS:
            self._online = frozenset(self._grid.get_node_ids())
            self._looked_at = time.monotonic()
        return member.node_id in self._online

    def _register(self, members: Sequence[Member]) -> None:
        node_ids = self._superlink.register([member.node_key for member in members])
        for member, node_id in zip(members, node_ids, strict=True):
            if not self._registry.note_node(member, node_id):  # revoked, or enrolled with another key, meanwhile
                self._superlink.unregister(node_id)

    def _shut_strangers_out(self) -> None:
        """Shut out whose key is no welcome member's: revoked while no coordinator ran, or let in by somebody else."""
        welcome = {member.node_key for member in self._registry.members() if member.is_welcome}
        for node_id, key in self._superlink.nodes().items():
            if key not in welcome:
                self._superlink.unregister(node_id)
