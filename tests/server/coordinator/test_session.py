"""What a round's line in the journal says of traffic."""

from server.coordinator.session import count_traffic
from server.round.collection import Cause, Refusal, RoundOutcome


def test_whom_a_request_did_not_reach_was_sent_nothing_and_who_was_late_was() -> None:
    outcome = RoundOutcome(replies={}, refusals={1: Refusal(Cause.UNSENT), 2: Refusal(Cause.LATE)})
    assert count_traffic(1000, outcome) == {"sent_bytes": 1000, "received_bytes": 0}
