"""A whole federation in one process: Flower's Grid without a network.

Merchants run one after another, and each is timed by a clock of its own, as if they ran side by side. All
that passes between the two ends goes through Flower's serialisation: a test sees what a network would carry.

The one place besides the daemon that leans on Flower's inside: `TaskIdentity`, which `Message()` reads and a
SuperLink would have set; `Run`, which a Grid must return; and a message's id, which a SuperLink gives.
"""

import math
import time
from collections.abc import Iterable, Mapping
from typing import Any

from flwr.app import Context, Error, Message, RecordDict, UserConfig
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid
from flwr.supercore.run import Run
from flwr.supercore.task_identity import TaskIdentity

from common.errors import ConfigError, HansaError
from common.message.decline import CLIENT_RAISED, decline

RUN_ID = 1
SERVER_NODE_ID = 1  # Flower's SUPERLINK_NODE_ID
REPLY_EXPIRED = 4  # Flower's ErrorCode.REPLY_MESSAGE_UNAVAILABLE


def make_context(node_id: int, *, node_config: UserConfig | None = None) -> Context:
    """Return the Context of one merchant (or of the server, as `SERVER_NODE_ID`) in the in-process run."""
    return Context(run_id=RUN_ID, node_id=node_id, node_config=node_config or {}, state=RecordDict(), run_config={})


class InProcessGrid(Grid):
    """Run the ClientApps of a federation in this process, in the order in which replies are asked for.

    A merchant that raises, that returns no reply to its request, or whose own time passes the message's
    `ttl`, answers with a Flower error; what it raised is kept in `failures` for whoever debugs. One Flower
    run lives in a process at a time, because Flower keeps the identity that `Message()` reads globally.

    Parameters
    ----------
    merchants
        For each merchant's name its ClientApp and its Context; the Context's `node_id` is the merchant's
        address, and the same Context comes back in every round.

    Attributes
    ----------
    node_ids
        The node id of each merchant, by name.
    failures
        The latest exception of each merchant whose app raised one, by node id.

    Raises
    ------
    ConfigError
        If two merchants share a node id, or one has the server's.
    """

    def __init__(self, merchants: Mapping[str, tuple[ClientApp, Context]]) -> None:
        self.node_ids = {name: context.node_id for name, (_, context) in merchants.items()}
        self.failures: dict[int, Exception] = {}
        self._clients = {context.node_id: (app, context) for app, context in merchants.values()}
        self._waiting: dict[str, Message] = {}
        if len(self._clients) != len(merchants) or SERVER_NODE_ID in self._clients:
            raise ConfigError(f"Merchants in one process need node ids of their own, none of them {SERVER_NODE_ID}.")
        self.set_run(Run.create_empty(RUN_ID))

    def set_run(self, run: Run) -> None:
        """Make `run` the run of this process, for every `Message()` to come."""
        self._run = run
        TaskIdentity.task_id = 1
        TaskIdentity.run_id = run.run_id
        TaskIdentity.node_id = SERVER_NODE_ID

    @property
    def run(self) -> Run:
        """Return a copy of the run."""
        return Run(**vars(self._run))

    def create_message(
        self,
        content: RecordDict,
        message_type: str,
        dst_node_id: int,
        group_id: str,
        ttl: float | None = None,
    ) -> Message:
        """Return a new message; Flower would rather see `Message()` called."""
        return Message(content, dst_node_id, message_type, ttl=ttl, group_id=group_id)

    def get_node_ids(self) -> list[int]:
        """Return the node ids in the merchants' order."""
        return list(self._clients)

    def push_messages(self, messages: Iterable[Message]) -> list[str]:
        """Accept messages and return their ids, in order; an unknown address gives "" as a SuperLink does."""
        return [self._accept(message) for message in messages]

    def pull_messages(self, message_ids: Iterable[str]) -> list[Message]:
        """Run the merchants these messages wait for, and return their replies; each reply comes once."""
        return [reply for reply, _ in self._answer(message_ids)]

    def send_and_receive(self, messages: Iterable[Message], *, timeout: float | None = None) -> list[Message]:
        """Return the replies of the merchants that took at most `timeout` seconds each."""
        patience_seconds = math.inf if timeout is None else timeout
        answers = self._answer(self.push_messages(messages))
        return [reply for reply, seconds in answers if seconds <= patience_seconds]

    def _accept(self, message: Message) -> str:
        if message.metadata.dst_node_id not in self._clients:
            return ""
        _name(message)
        self._waiting[message.metadata.message_id] = _copy_message(message)
        return message.metadata.message_id

    def _answer(self, message_ids: Iterable[str]) -> list[tuple[Message, float]]:
        known = [message_id for message_id in message_ids if message_id in self._waiting]
        return [self._run_client(self._waiting.pop(message_id)) for message_id in known]

    def _run_client(self, message: Message) -> tuple[Message, float]:
        started = time.perf_counter()
        reply = self._call_client(message)
        seconds = time.perf_counter() - started
        if seconds > message.metadata.ttl:
            reply = Message(Error(REPLY_EXPIRED, "The reply came after the message's time to live."), reply_to=message)
        _name(reply)
        return reply, seconds

    def _call_client(self, message: Message) -> Message:
        node_id = message.metadata.dst_node_id
        app, context = self._clients[node_id]
        try:
            reply = _copy_message(app(message, context))
            if reply.metadata.reply_to_message_id != message.metadata.message_id:
                raise ValueError("The ClientApp did not reply to its message; use Message(..., reply_to=message).")
        except HansaError as error:  # what the merchant's daemon makes of it
            self.failures[node_id] = error
            return decline(message)
        except Exception as error:
            self.failures[node_id] = error
            # The text of an exception may quote data, so it stays on the merchant's side.
            return Message(Error(CLIENT_RAISED, type(error).__name__), reply_to=message)
        return reply


def _name(message: Message) -> None:
    """Give a message its id, as both of Flower's own grids do: nothing public sets it."""
    message.metadata.__dict__["_message_id"] = message.object_id


def _copy_message(message: Message) -> Message:
    """Send a message through Flower's serialisation and back; only its id travels beside it."""
    copy = _copy(message)
    if not isinstance(copy, Message):
        raise TypeError(f"A ClientApp must return a Message, not {type(copy).__name__}.")
    copy.metadata.__dict__["_message_id"] = message.metadata.message_id
    return copy


def _copy(thing: Any) -> Any:
    children = {object_id: _copy(child) for object_id, child in (thing.children or {}).items()}
    return type(thing).inflate(thing.deflate(), children)
