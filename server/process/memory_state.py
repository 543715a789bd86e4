"""Flower's state in memory, made fit for weeks of rounds, and for members who leave and come back.

Flower keeps a node that was shut out, and takes its key never again; it cannot shut out a node that never came; what
nobody answers stays in memory until its run ends; a message is handed out before its content is there, so that whoever
takes it waits for half a second or longer; and it looks for a node's message among those of all.
"""

from __future__ import annotations

import time

from flwr.app import Message
from flwr.server.superlink.linkstate import InMemoryLinkState
from flwr.supercore.constant import NodeStatus
from flwr.supercore.date import now
from flwr.supercore.inflatable.inflatable_object import iterate_object_tree
from flwr.supercore.object_store import NoObjectInStoreError, ObjectStore
from flwr.superlink.federation import FederationManager

SWEEP_SECONDS = 60.0


class MemoryState(InMemoryLinkState):
    """Flower's own, with what is said above."""

    def __init__(self, federation_manager: FederationManager, object_store: ObjectStore) -> None:
        super().__init__(federation_manager, object_store)
        self._swept_at = time.time()
        self._waiting: dict[int, dict[str, None]] = {}  # what each node has not taken yet, in the order that it came
        self._taken: dict[int, str] = {}  # what each node took last

    def delete_node(self, owner_aid: str, node_id: int) -> None:
        """Shut a node out, and strike it out."""
        with self.lock:
            node = self.nodes.get(node_id)
            if node is not None and node.online_until is None:
                node.online_until = 0.0  # of one that never came
            super().delete_node(owner_aid, node_id)
            gone = self.nodes.pop(node_id)
            self.node_public_key_to_node_id.pop(gone.public_key, None)
            self.owner_to_node_ids.get(owner_aid, set()).discard(node_id)
            self._waiting.pop(node_id, None)
            self._taken.pop(node_id, None)

    def store_message_ins(self, message: Message) -> str | None:
        """Keep a question, and let go of those whose time was up a while ago."""
        if time.time() > self._swept_at + SWEEP_SECONDS:
            self._sweep()
        with self.lock:
            stored = super().store_message_ins(message)
            if stored is not None:
                self._waiting.setdefault(message.metadata.dst_node_id, {})[stored] = None
        return stored

    def get_message_ins(self, node_id: int, limit: int | None, *, run_id: int | None = None) -> list[Message]:
        """Hand out, once, what a node has not taken and what is all there."""
        found: list[Message] = []
        with self.lock:
            waiting = self._waiting.get(node_id, {})
            for message_id in list(waiting):
                if limit is not None and len(found) == limit:
                    break
                self._check_stored_messages({message_id})
                message = self.message_ins_store.get(message_id)
                if message is None:
                    del waiting[message_id]
                elif run_id in (None, message.metadata.run_id) and self.num_bytes(message_id) is not None:
                    del waiting[message_id]
                    message.metadata.delivered_at = now().isoformat()
                    self._taken[node_id] = message_id
                    found.append(message)
            if not waiting:
                self._waiting.pop(node_id, None)
        return found

    def note_presence(self, node_id: int) -> None:
        """Count a question or an answer of a node as a sign that it is there, as a heartbeat is one.

        On a machine that has too much to do a heartbeat may come late, and of a node that is counted as gone nobody is
        asked; then all would come back at once.
        """
        with self.lock:
            node = self.nodes.get(node_id)
            if node is not None and node.status == NodeStatus.ONLINE:
                self.acknowledge_node_heartbeat(node_id, node.heartbeat_interval)

    def has_message(self, node_id: int) -> bool:
        """Whether there is a message for a node that it has not taken, be it all there or not."""
        return bool(self._waiting.get(node_id))

    def give_back(self, node_id: int) -> None:
        """Let a node take anew what it took last and has not answered: it says that it never got it."""
        with self.lock:
            message_id = self._taken.pop(node_id, "")
            message = self.message_ins_store.get(message_id)
            if message is not None and message_id not in self.message_ins_id_to_message_res_id:
                message.metadata.delivered_at = ""
                self._waiting[node_id] = {message_id: None} | self._waiting.get(node_id, {})

    def get_message_res(self, message_ids: set[str], run_id: int) -> list[Message]:
        """Hand out, once, the replies that are all there, and for what can have none any more an error."""
        return super().get_message_res({one for one in message_ids if self._is_ready(one, run_id)}, run_id)

    def reply_bytes(self, message_id: str) -> int:
        """Count the bytes of the reply to a question; 0 where there is none, or not all of it."""
        reply = self.message_ins_id_to_message_res_id.get(message_id)
        return 0 if reply is None else self.num_bytes(reply) or 0

    def num_bytes(self, message_id: str) -> int | None:
        """Count the bytes of a message's objects; None where one is not there yet, 0 where Flower knows of none."""
        try:
            tree = self.object_store.get_object_tree(message_id)
        except NoObjectInStoreError:
            return 0  # Flower says what is wrong where it is handed out
        contents = [self.object_store.get(node.object_id) for node in iterate_object_tree(tree)]
        return sum(len(content) for content in contents if content) if all(contents) else None

    def _is_ready(self, message_id: str, run_id: int) -> bool:
        """Whether there is not half a reply; one whose sender came no further is let go of after Flower's time."""
        reply = self.message_ins_id_to_message_res_id.get(message_id)
        if reply is None or self.num_bytes(reply) is not None:
            return True
        self.get_object(run_id, reply)
        return False

    def _sweep(self) -> None:
        with self.lock:
            self._swept_at = time.time()
            over = {
                message_id
                for message_id, asked in self.message_ins_store.items()
                if asked.metadata.created_at + asked.metadata.ttl < self._swept_at - SWEEP_SECONDS
            }
            answers = {answer for asked, answer in self.message_ins_id_to_message_res_id.items() if asked in over}
            self.delete_messages(over)
            for waiting in self._waiting.values():
                for message_id in waiting.keys() - self.message_ins_store.keys():
                    del waiting[message_id]
        for object_id in over | answers:
            self.object_store.delete(object_id)
