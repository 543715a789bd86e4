"""Look at everything that a round needs, one thing after another, and say of each fault how to mend it.

Nothing is sent but a greeting, nothing is spent. Sentences about the data are for the merchant's own terminal.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from certs.authority import read_certificate
from certs.key import read_key
from client.account.agreement import agree
from client.account.ledger.ledger import Ledger
from client.account.ledger.verification import verify_ledger
from client.account.policy import read_policy
from client.account.scope import ADVICE
from client.command.run import holding
from client.daemon.gateway_client import GatewayClient, read_clock
from client.daemon.handlers import count_parameters
from client.daemon.health import read_node_id
from client.daemon.membership import Membership, read_federation, read_membership, require_size_class
from client.data.check.inspection import inspect_reading
from client.data.root import DataRoot
from client.data.rows import read
from client.diagnosis.training_path import explain_training
from client.diagnosis.trial_round import make_offer
from client.folder import MerchantFolder
from client.round.leg import read_legs
from common.disk.file import write_whole
from common.errors import ConfigError, DataError, HansaError, PrivacyError
from common.machine.device import choose_device
from common.model.features import count_trainable
from common.plan.schema import Plan

CLOCK_SECONDS = 60.0  # off at most; Flower refuses what is signed over 5 s ahead or 5 minutes behind
LEAST_FREE_BYTES = 200 << 20
SOON_DAYS = 30


@dataclass(frozen=True)
class Diagnosis:
    """What was found about one thing.

    Attributes
    ----------
    sentence
        What is so; for a fault also what to do.
    """

    name: str
    is_fault: bool
    sentence: str


def examine(home: MerchantFolder, plan: Plan | None, *, data_root: Path, device: str) -> list[Diagnosis]:
    """Look at everything; what a fault makes impossible to look at is a fault of its own."""
    verdicts = [_look(name, partial(check, home)) for name, check in FOLDER_CHECKS.items()]
    verdicts.append(_look("device", lambda: explain_training(choose_device(device))))
    verdicts += _look_at_line(home)
    if plan is not None:
        verdicts.append(_look("plan", lambda: _check_plan(home, plan)))
        verdicts += _look_at_data(home, plan, data_root)
    return verdicts


def _look(name: str, check: Callable[[], str]) -> Diagnosis:
    try:
        return Diagnosis(name, False, check())
    except HansaError as error:
        return Diagnosis(name, True, str(error))


def _check_policy(home: MerchantFolder) -> str:
    policy = read_policy(home.policy)
    if policy.approval.automatic is not None and policy.data is None:
        raise PrivacyError(
            "The policy has [approval.automatic] and no [data], so no plan is accepted automatically; add what may be "
            f"read and which column is the entity ({ADVICE})."
        )
    return f"allows epsilon {policy.plan.epsilon} a plan and {policy.budget.epsilon} for life, per {policy.unit}"


def _check_approval(home: MerchantFolder) -> str:
    federation, approval = read_federation(home), read_policy(home.policy).approval
    if not {federation.coordinator_name, *federation.vouched_by} & set(approval.coordinators):
        raise PrivacyError(
            f"The policy does not approve the coordinator of {federation.welcome.federation!r}, so it declines every "
            f"plan; compare its hash {federation.coordinator_name} and put it into approval.coordinators."
        )
    if approval.automatic is None and not approval.plans:
        raise PrivacyError("The policy approves no plan; list one in approval.plans, or add [approval.automatic].")
    return f"the coordinator of {federation.welcome.federation!r} may propose plans"


def _check_ledger(home: MerchantFolder) -> str:
    verify_ledger(home.ledger)
    policy = read_policy(home.policy)
    with closing(Ledger(home.ledger)) as ledger:
        account = ledger.account(policy.dataset, policy.unit)
        return f"whole; {len(account.spends)} rounds were charged to {policy.dataset!r} per {policy.unit}"


def _check_keys(home: MerchantFolder) -> str:
    for key in (home.tls_key, home.node_key):
        if not key.is_file():
            raise DataError(f"There is no key {key}; bring it back, or make it with: hansa-client join NAME")
        read_key(key)
    return "tls.key and node.key are keys, readable by their owner alone"


def _check_certificate(home: MerchantFolder) -> str:
    welcome = read_membership(home).federation.welcome
    until = read_certificate(welcome.certificate.encode(), origin=str(home.certificate)).not_valid_after_utc
    days = (until - datetime.now(UTC)).days
    soon = "; join again soon" if days < SOON_DAYS else ""
    return f"of {welcome.name!r}, signed by the authority of {welcome.federation!r}, valid for {days} more days{soon}"


def _check_size_class(home: MerchantFolder) -> str:
    federation = read_federation(home)
    require_size_class(read_policy(home.policy), federation)
    return f"{federation.size_class}, as enrolled"


def _check_disk(home: MerchantFolder) -> str:
    write_whole(home.folder / ".doctor", b"")
    (home.folder / ".doctor").unlink()
    free = shutil.disk_usage(home.folder).free
    if free < LEAST_FREE_BYTES:
        raise ConfigError(
            f"The disk of {home.folder.resolve()} has {free >> 20} MB left; a round that cannot be written is lost: "
            f"free {LEAST_FREE_BYTES >> 20} MB."
        )
    return f"writable, {free >> 20} MB free"


def _look_at_line(home: MerchantFolder) -> Iterator[Diagnosis]:
    """Dial the gateway, read its clock, and greet it."""
    try:
        membership = read_membership(home)
    except HansaError:
        yield Diagnosis("gateway", True, "Cannot be dialled before the faults above are mended.")
        return
    address = membership.federation.welcome.address
    try:
        theirs = read_clock(address, membership.context)
    except HansaError as error:
        yield Diagnosis("gateway", True, str(error))
        return
    yield Diagnosis("gateway", False, f"{address} answers over TLS with a certificate of the federation's authority")
    yield _look("clock", lambda: _check_clock(theirs, datetime.now(UTC)))
    yield _look("enrolment", lambda: _greet(home, membership))


def _check_clock(theirs: datetime | None, ours: datetime) -> str:
    if theirs is None:
        raise DataError("The gateway does not tell the time; compare this machine's clock with another one.")
    off = (ours - theirs).total_seconds()
    if abs(off) > CLOCK_SECONDS:
        word = "ahead of" if off > 0 else "behind"
        raise ConfigError(
            f"This machine's clock is {abs(off):.0f} s {word} the gateway's, so requests are refused; set it right, "
            "for instance with: timedatectl set-ntp true"
        )
    return f"at most {abs(off) + 1:.0f} s from the gateway's"


def _greet(home: MerchantFolder, membership: Membership) -> str:
    """Say hello and goodbye, unless the daemon is there to speak for itself."""
    try:
        with holding(home):
            address, node_id = membership.federation.welcome.address, read_node_id(home.health)
            gateway = GatewayClient(address, membership.node_key, membership.context, node_id=node_id)
            with closing(gateway):
                gateway.connect()
                gateway.deactivate()
    except ConfigError as error:
        if "Another" in str(error):
            return "hansa-client run is up; its state is in health.json"
        raise
    return "the gateway knows this merchant"


def _check_plan(home: MerchantFolder, plan: Plan) -> str:
    policy = read_policy(home.policy)
    with closing(Ledger(home.ledger)) as ledger:
        offer = make_offer(home, policy, plan)
        agreement = agree(policy, offer, ledger, num_coordinates=count_parameters(plan, private=offer.private))
    return f"allowed, with noise {agreement.mechanism.noise_multiplier:.4g} in {offer.training.num_rounds} rounds"


def _look_at_data(home: MerchantFolder, plan: Plan, data_root: Path) -> Iterator[Diagnosis]:
    """Check the data against the plan as `hansa-sim check` does, and that a round can be cut from it."""
    try:
        root = _root_of(home, data_root)
        reading = read(plan.data, root, ahead_from=plan.evaluation.origins[-1])
        report = inspect_reading(reading, plan)
        for series in filter(None, read_legs(plan, root)):
            count_trainable(series)
    except DataError as error:
        yield Diagnosis("data", True, str(error))
        return
    if not report.fails:
        yield Diagnosis("data", False, f"{report.facts['rows']} rows, {report.facts['entities']} of {plan.data.entity}")
    for finding in report.findings:
        yield Diagnosis(f"data: {finding.severity}", finding.severity == "fault", finding.sentence)
    yield _look("data: size class", lambda: _check_fits(home, plan, len(reading.panel.entities)))


def _root_of(home: MerchantFolder, data_root: Path) -> DataRoot:
    """Let the data be read as a round would; all of it where there is no policy that can be read."""
    try:
        return DataRoot(data_root, read_policy(home.policy).readable)
    except HansaError:
        return DataRoot(data_root)


def _check_fits(home: MerchantFolder, plan: Plan, num_entities: int) -> str:
    """Hold the declared size class against the data, for the merchant's eyes alone: nothing is computed from it."""
    size_class = read_policy(home.policy).size_class
    if num_entities > size_class:
        raise ConfigError(
            f"Your data has {num_entities} of {plan.data.entity}, more than the size class of {size_class} that you "
            "declared: your answers count for more than their weight, or are refused as implausible and still charged; "
            "declare a larger size_class in the policy, and join with it again."
        )
    return f"{num_entities} of {plan.data.entity} fit into the declared {size_class}"


FOLDER_CHECKS: dict[str, Callable[[MerchantFolder], str]] = {
    "policy": _check_policy,
    "ledger": _check_ledger,
    "disk": _check_disk,
    "keys": _check_keys,
    "certificate": _check_certificate,
    "size class": _check_size_class,
    "approval": _check_approval,
}
