"""The merchant's line to the federation's gateway: Flower's fleet API over mutual TLS.

This is the one file that knows that API; tests/client/daemon/test_gateway_client.py is the contract. A message comes
as an envelope (metadata and a tree of object ids), then object by object, each named by its SHA-256.

What a stock SuperNode would do here and this does not: download code (GetFab), follow redirects, trust an authority
other than the federation's, end the process on a refusal, read an answer of any length.

    GatewayError
    ├── Unreachable    try again: no connection, a timeout, 429, 5xx
    ├── Refused        the gateway will not have this merchant: 401, 403, no handshake, or no protocol in common
    └── MessageOver    this one message is over, since its run is; go on with the next
"""

from __future__ import annotations

import hashlib
import json
import ssl
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import TypeVar

import httpx
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from flwr.app import Array, Message
from flwr.app.message import remove_content_from_message
from flwr.common.serde import message_from_proto, message_to_proto
from flwr.proto.fleet_pb2 import (
    ActivateNodeRequest,
    DeactivateNodeRequest,
    PullMessagesRequest,
    PushMessagesRequest,
)
from flwr.proto.heartbeat_pb2 import SendNodeHeartbeatRequest
from flwr.proto.message_pb2 import (
    ConfirmMessageReceivedRequest,
    ObjectTree,
    PullObjectRequest,
    PushObjectRequest,
)
from flwr.proto.node_pb2 import Node
from flwr.supercore.error import ApiErrorCode, FlowerError
from flwr.supercore.inflatable.inflatable_object import (
    get_all_nested_objects,
    get_object_head_values_from_object_content,
    get_object_tree,
    no_object_id_recompute,
)
from flwr.supercore.inflatable.inflatable_utils import inflate_object_from_contents
from flwr.supercore.interceptors.http.utils import add_headers
from flwr.supercore.protobuf.client import ProtobufCall, ProtobufRequestContext
from flwr.supercore.runtime_version_compatibility import RuntimeVersionMetadata
from flwr.supernode.fleet_http_client import FleetHttpClient
from flwr.supernode.node_auth_http_interceptor import NodeAuthHttpInterceptor

from certs.request import public_pem
from common.errors import HansaError, MessageError
from common.message.proposal import MOST_BYTES
from common.message.protocol import HEADER, SPOKEN, choose_protocol, read_spoken, write_spoken
from common.privacy.clipping import LARGEST_MODEL

HEARTBEAT_SECONDS = 30.0
TIMEOUT_SECONDS = 30.0
MOST_OBJECTS = 16
MOST_MESSAGE_BYTES = 4 * LARGEST_MODEL + MOST_BYTES + (1 << 16)  # a release: parameters, its note, and what is around
RUN_IS_OVER = {ApiErrorCode.FLEET_RUN_STATUS_NOT_ALLOWED, ApiErrorCode.FLEET_GET_RUN_FAILED}

Asked = TypeVar("Asked")
Answer = TypeVar("Answer")


class GatewayError(HansaError):
    """Report that the gateway did not do what it was asked."""


class Unreachable(GatewayError):
    """Report that nobody answered, or somebody who may do so later."""


class Refused(GatewayError):
    """Report that the gateway will not have this merchant."""


class MessageOver(GatewayError):
    """Report that a message cannot be fetched or answered any more."""


@dataclass(frozen=True)
class Envelope:
    """A message without its content.

    Attributes
    ----------
    message
        Its content is empty; it can be replied to.
    tree
        The ids of its objects.
    """

    message: Message
    tree: ObjectTree


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
        self._client = _Client(address, key, context)
        self._retired: list[_Client] = []
        self._node = Node(node_id=node_id or 0)

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
        fresh = _Client(address, self._key, context)
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

    def _try_out(self, fresh: _Client, address: str, *, until: float) -> None:
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
        """Take the next message's envelope, if there is one; it is taken once."""
        response = self._call(self._client.PullMessages, PullMessagesRequest(node=self._node))
        if not response.messages_list or not response.message_object_trees:
            return None
        try:
            message = remove_content_from_message(message_from_proto(response.messages_list[0]))
        except Exception as error:  # Flower's parsers raise anything on a stranger's bytes
            raise MessageError("An envelope is none of this version of Flower; it is left.") from error
        return Envelope(message, response.message_object_trees[0])

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
        ids = _object_ids(envelope.tree)
        run_id = envelope.message.metadata.run_id
        contents, num_bytes = {}, 0
        for object_id in ids:
            contents[object_id] = self._pull_object(run_id, object_id)
            num_bytes += len(contents[object_id])
            if num_bytes > MOST_MESSAGE_BYTES:
                raise _too_large()
        message = _inflate(envelope, contents)
        if message.metadata.dst_node_id != self._node.node_id:
            raise MessageError("A message is for another merchant; it is not answered.")
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

    def _pull_object(self, run_id: int, object_id: str) -> bytes:
        asked = PullObjectRequest(node=self._node, run_id=run_id, object_id=object_id)
        response = self._call(self._client.PullObject, asked)
        if not response.object_found:
            raise MessageOver("A message's content is gone from the gateway; it is not answered.")
        if not response.object_available:
            raise Unreachable("A message's content is not at the gateway yet; asked for again.")
        if hashlib.sha256(response.object_content).hexdigest() != object_id:
            raise MessageError("An object of a message is not the one that its id names; it is not answered.")
        return bytes(response.object_content)

    def _push_object(self, run_id: int, session_id: str, object_id: str, content: bytes) -> None:
        asked = PushObjectRequest(
            node=self._node, run_id=run_id, object_id=object_id, object_content=content, session_id=session_id
        )
        if not self._call(self._client.PushObject, asked).stored:
            raise Unreachable("The gateway did not keep a part of a reply; handed in again.")

    def _call(self, method: Callable[[Asked], Answer], asked: Asked, *, address: str = "") -> Answer:
        """Call the API; every error of the layers below becomes one of this file's here."""
        address = address or self._address
        try:
            return method(asked)
        except httpx.HTTPStatusError as error:
            raise _explain_status(error.response) from error
        except (httpx.HTTPError, httpx.InvalidURL, ssl.SSLError, OSError) as error:
            raise _explain_failure(error, address) from error
        except ValueError as error:  # no protobuf in a response of status 200
            raise Unreachable(f"What answers at {address} is no gateway; check the address.") from error


def read_clock(address: str, context: ssl.SSLContext) -> datetime | None:
    """Ask a gateway for nothing, and read the time in what it answers.

    Raises
    ------
    GatewayError
        Nobody answers, not with a certificate of the federation, or in no protocol of this version.
    """
    try:
        with httpx.Client(transport=_BoundedTransport(context), timeout=TIMEOUT_SECONDS) as client:
            response = client.get(f"https://{address}/", headers={HEADER: write_spoken()})
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        raise _explain_failure(error, address) from error
    _require_protocol(response)
    try:
        return parsedate_to_datetime(response.headers.get("date", ""))
    except ValueError:
        return None


class _Client(FleetHttpClient):
    """Flower's client with an HTTP client of our own below: no redirects, no proxies, answers of bounded length."""

    def __init__(self, address: str, key: EllipticCurvePrivateKey, context: ssl.SSLContext) -> None:
        interceptors = (_VersionInterceptor(), NodeAuthHttpInterceptor(key, key.public_key()))
        super().__init__(f"https://{address}", interceptors=interceptors, verify=context)
        self._client.close()
        self._client = httpx.Client(
            transport=_BoundedTransport(context),
            timeout=TIMEOUT_SECONDS,
            headers={"accept-encoding": "identity"},
        )


class _VersionInterceptor:
    """Name our version of Flower and the protocols that we speak, and look at those of the gateway.

    Flower's own interceptor would end the process where the other side says so.
    """

    def __init__(self) -> None:
        self._headers: dict[str, str] = dict(RuntimeVersionMetadata.from_local_component("SuperNode").as_metadata())

    def intercept(self, context: ProtobufRequestContext, call_next: ProtobufCall) -> httpx.Response:
        add_headers(context.request, self._headers | {HEADER: write_spoken()})
        response = call_next(context)
        _require_protocol(response)
        return response


class _BoundedTransport(httpx.HTTPTransport):
    """Read no more of an answer than the largest message can have, and nothing that is packed."""

    def __init__(self, context: ssl.SSLContext) -> None:
        super().__init__(verify=context, http2=False, limits=httpx.Limits(max_connections=4, keepalive_expiry=60.0))

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        response = super().handle_request(request)
        length = response.headers.get("content-length", "0")
        packed = response.headers.get("content-encoding", "identity") != "identity"
        if packed or not length.isdecimal() or int(length) > MOST_MESSAGE_BYTES:
            response.close()
            raise _too_large()
        assert isinstance(response.stream, httpx.SyncByteStream)  # noqa: S101  for mypy: the client is not async
        response.stream = _BoundedStream(response.stream)
        return response


class _BoundedStream(httpx.SyncByteStream):
    def __init__(self, stream: httpx.SyncByteStream) -> None:
        self._stream = stream

    def __iter__(self) -> Iterator[bytes]:
        num_bytes = 0
        for part in self._stream:
            num_bytes += len(part)
            if num_bytes > MOST_MESSAGE_BYTES:
                raise _too_large()
            yield part

    def close(self) -> None:
        self._stream.close()


def _require_protocol(response: httpx.Response) -> None:
    """Refuse to speak to a coordinator with whom this version has no protocol in common (docs/protocol.md §5.1)."""
    theirs = read_spoken(response.headers.get(HEADER))
    if choose_protocol(theirs) is None:
        older = "this one" if theirs[0] > SPOKEN[-1] else "the coordinator's"
        raise Refused(
            f"The federation speaks protocols {write_spoken(theirs)}, this version of hansa {write_spoken()}; "
            f"{older} is older and has to be brought up to date."
        )


def _object_ids(tree: ObjectTree) -> list[str]:
    """List the ids in a tree, the message's own first, and refuse it as soon as there are too many."""
    ids, waiting = [], [tree]
    while waiting:
        node = waiting.pop()
        ids.append(node.object_id)
        waiting.extend(node.children)
        if len(ids) + len(waiting) > MOST_OBJECTS:
            raise MessageError(f"A message has more than {MOST_OBJECTS} objects, which none of ours has.")
    return ids


def _inflate(envelope: Envelope, contents: dict[str, bytes]) -> Message:
    """Put a message together from objects that were checked against their ids."""
    try:
        num_bytes = sum(_unrolled_bytes(content, contents) for content in contents.values())
        if num_bytes > MOST_MESSAGE_BYTES:
            raise _too_large()
        message = inflate_object_from_contents(envelope.tree.object_id, contents)
    except MessageError:
        raise
    except Exception as error:  # Flower's parsers raise anything on a stranger's bytes
        raise MessageError("The objects of a message are no message of this version of Flower.") from error
    if not isinstance(message, Message) or not message.has_content():
        raise MessageError("The objects of a message are no message with a content.")
    if envelope.message.metadata.message_id != envelope.tree.object_id:
        raise MessageError("A message has another id than its envelope says.")
    message.metadata.__dict__["_message_id"] = envelope.tree.object_id
    return message


def _unrolled_bytes(content: bytes, contents: dict[str, bytes]) -> int:
    """Count what an array takes in memory: it may name the same chunk of bytes as often as a stranger likes."""
    kind, children, length = get_object_head_values_from_object_content(content)
    if kind != Array.__qualname__:
        return 0
    body = content[len(content) - length :]
    return sum(len(contents[children[place]]) for place in json.loads(body)["arraychunk_ids"])


def _too_large() -> MessageError:
    return MessageError(
        f"A message is larger than {MOST_MESSAGE_BYTES} bytes, or packed, which none of ours is; it is not read."
    )


def _explain_status(response: httpx.Response) -> GatewayError:
    status, told = response.status_code, FlowerError.from_json(response.text)
    if told is not None and told.code in RUN_IS_OVER:
        return MessageOver("The run of a message is over; it is not answered any more.")
    if status == httpx.codes.UNAUTHORIZED:
        return Refused(
            "The gateway does not accept this merchant's node key (401); set the clock right, and if it is, "
            "ask the coordinator whether this merchant is still enrolled."
        )
    if status == httpx.codes.FORBIDDEN:
        return Refused(
            "The gateway does not accept this merchant's certificate (403): revoked, or of another node key; "
            "ask the coordinator, and join again."
        )
    if status == httpx.codes.PRECONDITION_FAILED:
        return Unreachable(
            "The gateway does not let this merchant in (412): an earlier connection of it is not forgotten yet, which "
            "takes a minute, or it is not registered; tried again."
        )
    if status == httpx.codes.TOO_MANY_REQUESTS or response.is_server_error or response.is_redirect:
        return Unreachable(f"The gateway answers with status {status}; tried again.")
    return MessageOver(f"The gateway refuses a request with status {status}; it is left.")


def _explain_failure(error: Exception, address: str) -> GatewayError:
    """Tell a refused handshake from a line that is down."""
    reason = str(error).lower()
    if "certificate_verify_failed" in reason:
        why = str(error).partition("verify failed: ")[2].partition(" (_ssl")[0] or "not trusted"
        return Refused(
            f"What answers at {address} has no valid certificate of this federation ({why}); nothing is sent to it: "
            "check address and clock; if the coordinator has changed its authority meanwhile, keep the new welcome "
            "that it gives you: hansa-client join --welcome FILE"
        )
    if "alert" in reason and ("certificate" in reason or "unknown ca" in reason or "access denied" in reason):
        return Refused(
            f"The gateway at {address} does not accept this merchant's certificate (revoked, expired or of another "
            "federation); ask the coordinator, and join again."
        )
    return Unreachable(f"Nobody answers at {address} ({type(error).__name__}); tried again.")
