"""The policy's hours are those of the clock on the merchant's wall, wherever that wall is."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

from client.account.agreement import Offer, agree
from client.account.ledger.answer_log import LedgerAnswerLog
from client.account.policy import read_policy
from client.audit.subject import AuditSubject
from client.audit.way.merchant import COHORT, lay_out
from common.errors import PrivacyError
from common.message.signature import name_key, public_bytes

HOURS, FIRST, LAST = "22:00-06:00", 22, 6
ZONES = (9, -5)  # hours before Greenwich; both have hours that are within here and outside there, and the other way
MOMENTS = tuple(datetime(2026, 1, 5, 1, 30, tzinfo=UTC) + timedelta(hours=hours) for hours in range(0, 24, 3))


def check_hours(subject: AuditSubject, folder: Path) -> list[str]:
    """Ask for rounds at all hours, in places far from Greenwich: within the hours they are charged, and only then."""
    merchant, found = lay_out(subject, folder), list[str]()
    with merchant.opened() as shop:
        asked = merchant.subject.request(merchant.subject.own_series(), 1)
        policy = read_policy(merchant.home.policy)
        policy = policy.model_copy(update={"plan": policy.plan.model_copy(update={"hours": (HOURS,)})})
        offer = Offer(merchant.plan, True, name_key(public_bytes(merchant.key)), COHORT)
        agreement = agree(policy, offer, shop.ledger, num_coordinates=len(asked.parameters))
        for zone in ZONES:
            for moment in MOMENTS:
                log = LedgerAnswerLog(shop.ledger, agreement, clock=lambda moment=moment: moment)  # type: ignore[misc]
                hour = moment.astimezone(timezone(timedelta(hours=zone))).hour
                with _living_in(zone):
                    try:
                        log.reserve(asked, agreement.mechanism)
                    except PrivacyError:
                        answered = False
                    else:
                        answered = True
                if answered != (hour >= FIRST or hour < LAST):
                    found.append(
                        f"a round {'is answered outside' if answered else 'is refused within'} the policy's hours"
                    )
    return list(dict.fromkeys(found))


@contextmanager
def _living_in(zone: int) -> Iterator[None]:
    """Put the clock on the wall so many hours before Greenwich."""
    before = os.environ.get("TZ")
    os.environ["TZ"] = f"AUDIT{-zone:+d}"
    time.tzset()
    try:
        yield
    finally:
        os.environ.pop("TZ")
        if before is not None:
            os.environ["TZ"] = before
        time.tzset()
