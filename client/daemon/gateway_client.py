"""The merchant's line to the federation's gateway: Flower's fleet API over mutual TLS.

With `envelope` and `transport` this is all that knows that API; tests/client/daemon/test_gateway_client.py is the
contract.

What a stock SuperNode would do here and this does not: download code (GetFab), follow redirects, trust an authority
other than the federation's, end the process on a refusal, read an answer of any length.
"""

from __future__ import annotations

import hashlib
import ssl
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import TypeVar

import httpx
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from flwr.app import Message
from flwr.app.message import remove_content_from_message
from flwr.common.serde import message_from_proto, message_to_proto
from flwr.proto.fleet_pb2 import (
    ActivateNodeRequest,
    DeactivateNodeRequest,
    PullMessagesRequest,
    PullMessagesResponse,
    PushMessagesRequest,
)
from flwr.proto.heartbeat_pb2 import SendNodeHeartbeatRequest
from flwr.proto.message_pb2 import ConfirmMessageReceivedRequest, PullObjectRequest, PushObjectRequest
from flwr.proto.node_pb2 import Node
from flwr.proto.recorddict_pb2 import BytesList
from flwr.supercore.inflatable.inflatable_object import (
    get_all_nested_objects,
    get_object_tree,
    no_object_id_recompute,
)
from google.protobuf.message import DecodeError

from certs.request import public_pem
from client.daemon.envelope import MOST_MESSAGE_BYTES, Envelope, inflate, object_ids, too_large
from client.daemon.gateway_error import (
    MessageOver,
    Refused,
    Unreachable,
    explain_failure,
    explain_status,
)
from client.daemon.transport import TIMEOUT_SECONDS, BoundedTransport, FleetClient, require_protocol
from common.errors import MessageError
from common.message.protocol import HEADER, write_spoken

HEARTBEAT_SECONDS = 30.0
AGAIN = "again"  # in the place of a message's id: what was given last did not arrive

Asked = TypeVar("Asked")
Answer = TypeVar("Answer")


class GatewayClient:
    """One merchant's connection; two threads may use it at once.

    Parameters
    ----------
    address
        Host and port of the gateway.
    key
        The node key, by which the coordinator knows this merchant.
    context
        Trusts the federation's authority alone and carries the merchant's certificate.
    node_id
        What an earlier connection was told; None where that is not known.
    """

    def __init__(
        self, address: str, key: EllipticCurvePrivateKey, context: ssl.SSLContext, *, node_id: int | None = None
    ) -> None:
        self._address, self._key, self._public = address, key, public_pem(key.public_key())
        self._client = FleetClient(address, key, context)
        self._retired: list[FleetClient] = []
        self._node = Node(node_id=node_id or 0)
        self._is_lost = False  # whether a message may be on its way that did not arrive

    def connect(self) -> int:
        """Say that this merchant is there; return its node id.

        A SuperLink activates nobody whom it still counts as there, for a minute after a merchant was killed; but
        it takes a heartbeat of whoever knows the node id.
        """
        if not (self._node.node_id and self._is_known()):
            asked = ActivateNodeRequest(public_key=self._public, heartbeat_interval=HEARTBEAT_SECONDS)
            self._node = Node(node_id=self._call(self._client.ActivateNode, asked).node_id)
        return self._node.node_id

    def switch(self, address: str, context: ssl.SSLContext, *, patience_seconds: float) -> None:
        """Go over to another line, once a heartbeat has passed it; it is tried again for so many seconds.

        The line before stays open until the next switch or the end: a heartbeat of another thread may be on it.

        Raises
        ------
        GatewayError
            Nothing passes; the line is the one before.
        """
        fresh = FleetClient(address, self._key, context)
        try:
            if self._node.node_id:  # else this merchant was never let in, and the line before is worth nothing
                self._try_out(fresh, address, until=time.monotonic() + patience_seconds)
        except BaseException:
            fresh.close()
            raise
        while self._retired:
            self._retired.pop().close()
        self._retired.append(self._client)
        self._client, self._address = fresh, address

    def _try_out(self, fresh: FleetClient, address: str, *, until: float) -> None:
        asked = SendNodeHeartbeatRequest(node=self._node, heartbeat_interval=HEARTBEAT_SECONDS)
        while True:
            try:
                self._call(fresh.SendNodeHeartbeat, asked, address=address)
            except (Unreachable, Refused):
                if time.monotonic() > until:
                    raise
                time.sleep(1.0)
            else:
                return

    def heartbeat(self) -> bool:
        """Say that this merchant is still there; False where the gateway has forgotten it."""
        asked = SendNodeHeartbeatRequest(node=self._node, heartbeat_interval=HEARTBEAT_SECONDS)
        return bool(self._call(self._client.SendNodeHeartbeat, asked).success)

    def deactivate(self) -> None:
        """Say goodbye."""
        self._call(self._client.DeactivateNode, DeactivateNodeRequest(node_id=self._node.node_id))

    def pull(self) -> Envelope | None:
        """Take the next message's envelope, if there is one; it is taken once, unless the answer did not arrive."""
        asked = PullMessagesRequest(node=self._node)
        if not self._client.takes_parcels:
            return _read_envelope(self._call(self._client.PullMessages, asked), None)
        asked.message_ids.extend([AGAIN] if self._is_lost else [])
        self._is_lost = True
        parcel = self._call(self._client.pull_parcel, asked)
        self._is_lost = False
        try:
            response = PullMessagesResponse.FromString(parcel.vals[0])
        except (DecodeError, IndexError) as error:
            raise MessageError("An envelope is none of this version of Flower; it is left.") from error
        return _read_envelope(response, parcel.vals[1:])

    def fetch(self, envelope: Envelope) -> Message:
        """Fetch a message's objects, and put the message together.

        Raises
        ------
        MessageError
            It has more objects or bytes than any message of ours, an object is not the one that its id names, or
            what comes out is not the message of the envelope, to this merchant.
        GatewayError
            The gateway does not hand it out.
        """
        ids = object_ids(envelope.tree)
        run_id = envelope.message.metadata.run_id
        if envelope.contents is None:
            contents = self._pull_each(run_id, ids)
        else:
            contents = {hashlib.sha256(content).hexdigest(): bytes(content) for content in envelope.contents}
            if contents.keys() != set(ids):
                raise other_object()
        message = inflate(envelope, contents)
        if message.metadata.dst_node_id != self._node.node_id:
            raise MessageError("A message is for another merchant; it is not answered.")
        if envelope.contents is None:
            confirmed = ConfirmMessageReceivedRequest(node=self._node, run_id=run_id, message_object_id=ids[0])
            self._call(self._client.ConfirmMessageReceived, confirmed)
        return message

    def push(self, reply: Message) -> None:
        """Hand a reply in; done again after a failure, it is the same reply.

        Raises
        ------
        GatewayError
            The gateway does not take it.
        """
        with no_object_id_recompute():
            reply.metadata.__dict__["_message_id"] = reply.object_id
            objects, tree = get_all_nested_objects(reply), get_object_tree(reply)
        asked = PushMessagesRequest(
            node=self._node,
            messages_list=[message_to_proto(remove_content_from_message(reply))],
            message_object_trees=[tree],
            clientapp_runtime_list=[0.0],  # how long it took is nobody's business
        )
        if self._client.takes_parcels:
            self._push_parcel(asked, [found.deflate() for found in objects.values()])
            return
        response = self._call(self._client.PushMessages, asked)
        for object_id in sorted(set(response.objects_to_push) & set(objects)):
            self._push_object(reply.metadata.run_id, response.session_id, object_id, objects[object_id].deflate())

    def close(self) -> None:
        """Let go of the connection."""
        for client in (*self._retired, self._client):
            client.close()

    def _is_known(self) -> bool:
        try:
            return self.heartbeat()
        except Refused:  # perhaps an id from before this merchant was enrolled anew
            return False

    def _pull_each(self, run_id: int, ids: list[str]) -> dict[str, bytes]:
        contents, num_bytes = {}, 0
        for object_id in ids:
            contents[object_id] = self._pull_object(run_id, object_id)
            num_bytes += len(contents[object_id])
            if num_bytes > MOST_MESSAGE_BYTES:
                raise too_large()
        return contents

    def _push_parcel(self, asked: PushMessagesRequest, contents: list[bytes]) -> None:
        parcel = BytesList(vals=[asked.SerializeToString(), *contents])
        if self._call(self._client.push_parcel, parcel).objects_to_push:
            raise not_kept()

    def _pull_object(self, run_id: int, object_id: str) -> bytes:
        asked = PullObjectRequest(node=self._node, run_id=run_id, object_id=object_id)
        response = self._call(self._client.PullObject, asked)
        if not response.object_found:
            raise MessageOver("A message's content is gone from the gateway; it is not answered.")
        if not response.object_available:
            raise Unreachable("A message's content is not at the gateway yet; asked for again.")
        if hashlib.sha256(response.object_content).hexdigest() != object_id:
            raise other_object()
        return bytes(response.object_content)

    def _push_object(self, run_id: int, session_id: str, object_id: str, content: bytes) -> None:
        asked = PushObjectRequest(
            node=self._node, run_id=run_id, object_id=object_id, object_content=content, session_id=session_id
        )
        if not self._call(self._client.PushObject, asked).stored:
            raise not_kept()

    def _call(self, method: Callable[[Asked], Answer], asked: Asked, *, address: str = "") -> Answer:
        """Call the API; every error of the layers below becomes one of this file's here."""
        address = address or self._address
        try:
            return method(asked)
        except httpx.HTTPStatusError as error:
            raise explain_status(error.response) from error
        except (httpx.HTTPError, httpx.InvalidURL, ssl.SSLError, OSError) as error:
            raise explain_failure(error, address) from error
        except ValueError as error:  # no protobuf in a response of status 200
            raise Unreachable(f"What answers at {address} is no gateway; check the address.") from error


def _read_envelope(response: PullMessagesResponse, contents: Sequence[bytes] | None) -> Envelope | None:
    if not response.messages_list or not response.message_object_trees:
        return None
    try:
        message = remove_content_from_message(message_from_proto(response.messages_list[0]))
    except Exception as error:  # Flower's parsers raise anything on a stranger's bytes
        raise MessageError("An envelope is none of this version of Flower; it is left.") from error
    return Envelope(message, response.message_object_trees[0], contents)


def other_object() -> MessageError:
    """Say that what came is not what was announced."""
    return MessageError("An object of a message is not the one that its id names; it is not answered.")


def not_kept() -> Unreachable:
    """Say that a reply has to be handed in again."""
    return Unreachable("The gateway did not keep a part of a reply; handed in again.")


def read_clock(address: str, context: ssl.SSLContext) -> datetime | None:
    """Ask a gateway for nothing, and read the time in what it answers.

    Raises
    ------
    GatewayError
        Nobody answers, not with a certificate of the federation, or in no protocol of this version.
    """
    try:
        with httpx.Client(transport=BoundedTransport(context), timeout=TIMEOUT_SECONDS) as client:
            response = client.get(f"https://{address}/", headers={HEADER: write_spoken()})
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        raise explain_failure(error, address) from error
    require_protocol(response)
    try:
        return parsedate_to_datetime(response.headers.get("date", ""))
    except ValueError:
        return None
