"""The line below Flower's fleet client: no redirects, no proxies, a protocol in common, answers of bounded length.

A stock SuperNode would end the process on a refusal of its version and read an answer of any length.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator

import httpx
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from flwr.proto.fleet_pb2 import PullMessagesRequest, PushMessagesResponse
from flwr.proto.recorddict_pb2 import BytesList
from flwr.supercore.interceptors.http.utils import add_headers
from flwr.supercore.protobuf.client import ProtobufCall, ProtobufRequestContext
from flwr.supercore.runtime_version_compatibility import RuntimeVersionMetadata
from flwr.supernode.fleet_http_client import FleetHttpClient
from flwr.supernode.node_auth_http_interceptor import NodeAuthHttpInterceptor

from client.daemon.envelope import MOST_MESSAGE_BYTES, too_large
from client.daemon.gateway_error import Refused
from common.message.protocol import FIRST, HEADER, PARCELS, SPOKEN, choose_protocol, read_spoken, write_spoken

TIMEOUT_SECONDS = 30.0


class FleetClient(FleetHttpClient):
    """Flower's client with an HTTP client of our own below: no redirects, no proxies, answers of bounded length."""

    def __init__(self, address: str, key: EllipticCurvePrivateKey, context: ssl.SSLContext) -> None:
        self._version = _VersionInterceptor()
        interceptors = (self._version, NodeAuthHttpInterceptor(key, key.public_key()))
        super().__init__(f"https://{address}", interceptors=interceptors, verify=context)
        self._client.close()
        self._client = httpx.Client(
            transport=BoundedTransport(context),
            timeout=TIMEOUT_SECONDS,
            headers={"accept-encoding": "identity"},
        )

    @property
    def takes_parcels(self) -> bool:
        """Whether the gateway said, at its latest answer, that it takes messages in one piece."""
        return (choose_protocol(self._version.spoken) or 0) >= PARCELS

    def pull_parcel(self, asked: PullMessagesRequest) -> BytesList:
        """Take a message with all its objects (docs/protocol.md §5.15)."""
        return self._unary_unary(
            path="/v1/hansa/pull-parcel", rpc_method="/hansa/PullParcel", request=asked, response_type=BytesList
        )

    def push_parcel(self, parcel: BytesList) -> PushMessagesResponse:
        """Hand in a reply with all its objects."""
        return self._unary_unary(
            path="/v1/hansa/push-parcel",
            rpc_method="/hansa/PushParcel",
            request=parcel,
            response_type=PushMessagesResponse,
        )


class _VersionInterceptor:
    """Name our version of Flower and the protocols that we speak, and look at those of the gateway.

    Flower's own interceptor would end the process where the other side says so.
    """

    def __init__(self) -> None:
        self.spoken = FIRST
        self._headers: dict[str, str] = dict(RuntimeVersionMetadata.from_local_component("SuperNode").as_metadata())

    def intercept(self, context: ProtobufRequestContext, call_next: ProtobufCall) -> httpx.Response:
        add_headers(context.request, self._headers | {HEADER: write_spoken()})
        response = call_next(context)
        self.spoken = require_protocol(response)
        return response


class BoundedTransport(httpx.HTTPTransport):
    """Read no more of an answer than the largest message can have, and nothing that is packed."""

    def __init__(self, context: ssl.SSLContext) -> None:
        super().__init__(verify=context, http2=False, limits=httpx.Limits(max_connections=4, keepalive_expiry=60.0))

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Refuse an answer that states too many bytes, and stop reading one that has more than it states."""
        response = super().handle_request(request)
        length = response.headers.get("content-length", "0")
        packed = response.headers.get("content-encoding", "identity") != "identity"
        if packed or not length.isdecimal() or int(length) > MOST_MESSAGE_BYTES:
            response.close()
            raise too_large()
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
                raise too_large()
            yield part

    def close(self) -> None:
        self._stream.close()


def require_protocol(response: httpx.Response) -> range:
    """Return what the coordinator speaks, and refuse to where nothing is in common (docs/protocol.md §5.1)."""
    theirs = read_spoken(response.headers.get(HEADER))
    if choose_protocol(theirs) is None:
        older = "this one" if theirs[0] > SPOKEN[-1] else "the coordinator's"
        raise Refused(
            f"The federation speaks protocols {write_spoken(theirs)}, this version of hansa {write_spoken()}; "
            f"{older} is older and has to be brought up to date."
        )
    return theirs
