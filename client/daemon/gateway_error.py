"""What a gateway did not do, in one sentence each.

GatewayError
├── Unreachable    try again: no connection, a timeout, 429, 5xx
├── Refused        the gateway will not have this merchant: 401, 403, no handshake, or no protocol in common
└── MessageOver    this one message is over, since its run is; go on with the next
"""

from __future__ import annotations

import httpx
from flwr.supercore.error import ApiErrorCode, FlowerError

from common.errors import HansaError

RUN_IS_OVER = {ApiErrorCode.FLEET_RUN_STATUS_NOT_ALLOWED, ApiErrorCode.FLEET_GET_RUN_FAILED}


class GatewayError(HansaError):
    """Report that the gateway did not do what it was asked."""


class Unreachable(GatewayError):
    """Report that nobody answered, or somebody who may do so later."""


class Refused(GatewayError):
    """Report that the gateway will not have this merchant."""


class MessageOver(GatewayError):
    """Report that a message cannot be fetched or answered any more."""


def explain_status(response: httpx.Response) -> GatewayError:
    """Say what a status that is no success means, and what to do."""
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


def explain_failure(error: Exception, address: str) -> GatewayError:
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
