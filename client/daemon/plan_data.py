"""The data of one plan at a time, and what answers its rounds from it: read in the background, under today's policy."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path

import torch

from client.account.agreement import Agreement
from client.account.company import CallReader
from client.account.ledger.answer_log import LedgerAnswerLog
from client.account.ledger.ledger import Ledger
from client.account.standing import Standing
from client.daemon.reading import BackgroundReading
from client.data.root import DataRoot
from client.round.answers import Answers, Merchant
from client.round.leg import read_legs
from common.errors import PrivacyError
from common.plan.schema import Plan
from common.privacy.noise import SecureNoise

LOGGER = logging.getLogger(__name__)
PATIENCE_SECONDS = 10.0  # for which terms wait for the data, so that a plan that does not fit it is refused at once


class PlanData:
    """Read the data of plans, each in place of the one before.

    Parameters
    ----------
    data_root
        Folder that a plan's paths start from and stay below.
    device
        Where gradients are computed.

    Notes
    -----
    One plan's data is in memory at a time: that of the latest round or proposal.
    """

    def __init__(
        self, ledger: Ledger, standing: Standing, calls: CallReader, *, data_root: Path, device: torch.device
    ) -> None:
        self._ledger, self._standing, self._calls = ledger, standing, calls
        self._data_root, self._device = data_root, device
        self._logs: dict[str, LedgerAnswerLog] = {}
        self._open: tuple[str, Agreement, BackgroundReading[Answers]] | None = None

    def look(self, run_hash: str, agreement: Agreement) -> None:
        """Begin to read the data, and refuse the plan where that fails at once; terms do not wait for the rest."""
        reading = self._start_reading(run_hash, agreement)
        if reading.is_done(within_seconds=PATIENCE_SECONDS):
            reading.result(is_over=lambda: True)
        else:
            LOGGER.info(
                "Reading the data of plan=%s takes long; its first round waits for it", word_of(agreement.offer.plan)
            )

    def answers(self, run_hash: str, agreement: Agreement, *, is_over: Callable[[], bool]) -> Answers:
        """Wait for the data of a plan, for as long as somebody waits for the answer.

        What was read under a policy that let other columns be read is read anew.
        """
        wanted, opened = (run_hash, agreement.policy.readable), self._open
        if opened is None or (opened[0], opened[1].policy.readable) != wanted or opened[2].has_failed:
            reading = self._start_reading(run_hash, agreement)
        else:
            reading = opened[2]
        return reading.result(is_over=is_over)

    def follow(self, run_hash: str, agreement: Agreement) -> None:
        """Go on under the same agreement with a coordinator whose key was followed by another."""
        if run_hash in self._logs:
            self._logs[run_hash].follow(agreement)

    def _start_reading(self, run_hash: str, agreement: Agreement) -> BackgroundReading[Answers]:
        """Begin to read the data of a plan, in place of another plan's; one file is read at a time."""
        before = None if self._open is None else self._open[2]
        if before is not None:
            before.cancel()
        log = self._logs[run_hash] = LedgerAnswerLog(
            self._ledger, agreement, renew=self._renewing(agreement), calls=self._calls
        )
        reading = BackgroundReading(lambda: self._read(agreement, log), after=before)
        self._open = run_hash, agreement, reading
        return reading

    def _renewing(self, read_with: Agreement) -> Callable[[Agreement], Agreement]:
        """Hold an agreement against the policy of now, which still has to let the columns be read that were."""

        def renew(agreement: Agreement) -> Agreement:
            renewed = self._standing.renew(agreement)
            if renewed.policy.readable != read_with.policy.readable:
                raise PrivacyError(
                    f"The policy names other files or columns than when the data of plan {agreement.offer.plan.name!r} "
                    "was read; it is read anew when the round is asked for again."
                )
            return renewed

        return renew

    def _read(self, agreement: Agreement, log: LedgerAnswerLog) -> Answers:
        offer, began = agreement.offer, time.monotonic()
        series, rehearsal = read_legs(offer.plan, DataRoot(self._data_root, agreement.policy.readable))
        merchant = Merchant(
            plan=offer.plan,
            num_rounds=offer.training.num_rounds,
            series=series,
            mechanism=agreement.mechanism,
            noise=SecureNoise(),
            device=self._device,
            answer_log=log,
            rehearsal=rehearsal,
        )
        answers = Answers(merchant)
        LOGGER.info("Read the data of plan=%s seconds=%.1f", word_of(offer.plan), time.monotonic() - began)
        return answers


def word_of(plan: Plan) -> str:
    """Quote a plan's name, which a stranger chose, so that it stays one word of a log line."""
    return repr(plan.name[:60])
