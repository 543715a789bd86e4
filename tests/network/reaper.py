"""A door at which a merchant's daemon can be killed just before a certain reply of it would pass: kill -9, on time."""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from flwr.proto.fleet_pb2 import PushMessagesRequest
from flwr.proto.recorddict_pb2 import BytesList

from certs.request import JoinRequest, read_document

PUSH = "/v1/hansa/push-parcel"


class Step(NamedTuple):
    """A reply: of which merchant, in which round, of what type."""

    merchant: str
    round_number: int
    message_type: str


class Moment(NamedTuple):
    """When somebody dies: in which round, at replies of what type."""

    round_number: int
    message_type: str


class Reaper:
    """Look at every reply that comes to a door, and have merchants die before those that they were meant to die at.

    Parameters
    ----------
    deaths
        Where somebody dies; each happens once.
    moments
        The place, from 1 on, of the reply at which its merchant dies, among those of its type in its round; who that is
        nobody knows before.
    kill
        Ends a merchant's daemon at once.
    """

    def __init__(
        self,
        folder: Path,
        names: list[str],
        *,
        kill: Callable[[str], None],
        deaths: Collection[Step] = (),
        moments: Mapping[Moment, int] | None = None,
    ) -> None:
        self.deaths, self.moments, self._kill = set(deaths), dict(moments or {}), kill
        self.died: list[Step] = []
        self.passed: list[Step] = []
        self._lock = threading.Lock()
        self._names = {
            read_document(folder / name / f"{name}.request.json", JoinRequest).node_key.strip(): name for name in names
        }

    def may_pass(self, path: str, headers: list[tuple[bytes, bytes]], body: bytes) -> bool:
        """Say whether a request is to be passed on, or is of somebody who has just died."""
        if path != PUSH:
            return True
        key = dict(headers).get(b"flwr-public-key", b"")
        name = self._names.get(base64.b64decode(key).decode().strip(), "")
        about = PushMessagesRequest.FromString(BytesList.FromString(body).vals[0]).messages_list[0].metadata
        number = int(about.group_id) if about.group_id.isdecimal() else 0
        step = Step(name, number, about.message_type)
        with self._lock:
            moment = Moment(number, about.message_type)
            place = 1 + len({passed.merchant for passed in self.passed if passed[1:] == moment})
            if step not in self.deaths and self.moments.get(moment) != place:
                self.passed.append(step)
                return True
            self.deaths.discard(step)
            self.moments.pop(moment, None)
            self._kill(name)
            self.died.append(step)
        return False


class Door:
    """The gateway's own application behind a reaper; everything that passes is kept, as in `network.recorder`."""

    def __init__(self, app: Any, reaper: Reaper) -> None:
        self._app, self._reaper = app, reaper
        self.seen = bytearray()
        self.bodies: dict[str, int] = {}  # bytes by path, both ways

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        heard, said, messages = bytearray(), bytearray(), []
        while True:
            message = await receive()
            messages.append(message)
            heard.extend(message.get("body", b""))
            if not message.get("more_body", False):
                break
        if not self._reaper.may_pass(scope["path"], scope["headers"], bytes(heard)):
            await send({"type": "http.response.start", "status": 503, "headers": [(b"content-length", b"0")]})
            await send({"type": "http.response.body", "body": b""})
            return

        async def hear() -> Any:
            return messages.pop(0) if messages else await receive()

        async def say(message: Any) -> None:
            said.extend(message.get("body", b""))
            await send(message)

        try:
            await self._app(scope, hear, say)
        finally:
            self.seen += heard + said
            self.bodies[scope["path"]] = self.bodies.get(scope["path"], 0) + len(heard) + len(said)
