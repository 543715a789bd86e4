"""Every member is asked for its peer key, so that a roster can be made of those who have one.

A member is asked once by every process of the coordinator, since it may have made itself another key; what it shows
replaces what was known. A launch that runs keeps its roster.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

from common.errors import MessageError
from common.message.peer import PEER, decode_peer, encode_question
from common.message.protocol import SUMS
from server.coordinator.mailbox import Letter, Mailbox, Reply, Subject
from server.coordinator.member import Members
from server.registry.registry import Member, Registry

LOGGER = logging.getLogger(__name__)
PEER_SECONDS = 60.0  # what a member may take to show its key


class Peering:
    """Ask for peer keys, and note them."""

    def __init__(self, registry: Registry, mailbox: Mailbox, members: Members) -> None:
        self._registry, self._mailbox, self._members = registry, mailbox, members
        self._known: dict[str, int] = {}  # the node at which a member has shown its key

    def ask(self, members: Mapping[str, Member]) -> None:
        """Ask everyone who is connected, speaks of peer keys and has not shown its own."""
        letters = [
            Letter(name, member.node_id, Subject(PEER, name), encode_question(name))
            for name, member in members.items()
            if member.node_id is not None and self._is_due(member)
        ]
        self._mailbox.post_all(letters, timeout_seconds=PEER_SECONDS)

    def _is_due(self, member: Member) -> bool:
        if member.protocol < SUMS or self._known.get(member.name) == member.node_id:
            return False
        return self._members.is_online(member) and self._mailbox.may_ask(member.name, Subject(PEER, member.name))

    def take(self, reply: Reply, members: Mapping[str, Member]) -> None:
        """Note the key that a member has shown, or that it has shown none."""
        try:
            if reply.content is None:
                raise MessageError(str(reply.cause))
            shown = decode_peer(reply.content)
            if shown.name != reply.member or reply.member not in members:
                raise MessageError("it is another member's.")
        except Exception as error:  # one member's bytes must not end everyone's coordinator
            reason = str(error) if isinstance(error, MessageError) else type(error).__name__
            LOGGER.warning("%s has shown no peer key: %s", reply.member, reason)
            return
        before = self._registry.peer_key(reply.member)
        if before != shown.key and not self._registry.note_peer(reply.member, shown.key):
            LOGGER.warning("%s has shown the peer key of another member; it is not noted.", reply.member)
            return
        if before not in (None, shown.key):
            LOGGER.warning("%s has another peer key than before; launches that run keep the one before.", reply.member)
        self._known[reply.member] = members[reply.member].node_id or 0
