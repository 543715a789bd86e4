"""What gives a fault of the secure sum away, besides a merchant's sum that is bare: by name, whether it shows."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from client.account import sum_terms
from client.account.policy import Policy, SumLimits
from client.account.sum_terms import fingerprint, require_trust
from client.audit.sum.noise import check_bytes, check_seeds
from common.errors import HansaError, MessageError, PrivacyError
from common.plan.schema import Plan, PrivacyPlan, SumPlan
from common.secure_sum.cohort import form_sessions, session_of
from common.secure_sum.keys import sign_keys
from common.secure_sum.roster import Peer
from server.secure_sum.round import SumRound
from sum_exposure import SIZE, Coordinator, numbers_of
from sum_world import MODEL, identity, make_members, make_session, to_agreed, to_masked, to_total, totals_of

REPEATS = 64
STD = 2.0**40  # of the noise below


def noise_shows_by_repeats(folder: Path) -> bool:
    """Ask one merchant for the same round again and again: the mean of what comes tells the noise that came first."""
    c, draw = Coordinator(folder), np.random.default_rng(1)
    c.open()
    noises, vectors = [], []
    for _ in range(REPEATS):
        noises.append((STD * draw.standard_normal(SIZE)).astype(np.int64))
        c.totals = totals_of(c.session, size=SIZE) | {c.victim: noises[-1]}
        vectors.append(c.mask(c.victim).copy())
    told = -np.mean([numbers_of(vector - vectors[0]) for vector in vectors], axis=0)
    return bool(np.abs(told - noises[0]).max() < STD)  # the mean of 64 is off by an eighth


def sum_is_wrong_at_the_edge(folder: Path) -> bool:
    """Let each bring a third of what fits: a refusal is right, and another sum is not."""
    session = make_session(3)
    totals = dict.fromkeys(session.names, np.array([2**62, -(2**62)]))
    members = make_members(session, folder)
    try:
        total = to_total(members, to_masked(members, totals))
    except PrivacyError:
        return False
    return total.tolist() != [3 * 2**62, -3 * 2**62]


def sum_is_wrong_by_a_liar(folder: Path) -> bool:
    """Let one reveal other shares than it was sent."""
    session = make_session(5)
    members, totals = make_members(session, folder), totals_of(session)
    asked = to_masked(members, totals, lost=session.names[-1:])
    signatures = to_agreed(members, asked)
    for name in asked.survivors():
        reveal = members[name].reveal(1, signatures)
        if name == session.names[0]:
            owner, other, *_ = asked.survivors()
            swapped = {**reveal.self_shares, owner: reveal.self_shares[other], other: reveal.self_shares[owner]}
            reveal = replace(reveal, self_shares=swapped)
        asked.add_reveal(name, reveal)
    try:
        total = asked.total()
    except MessageError:
        return False
    return not np.array_equal(total, sum(totals[name] for name in asked.survivors()))


def one_key_stops_everybody(folder: Path) -> bool:
    """Let one publish a mask key that agrees on the same with everybody: the others have to be able to go on."""
    session = make_session(5)
    members, totals = make_members(session, folder), totals_of(session)
    asked, last = SumRound(session, 1, MODEL), session.names[-1]
    for name, member in members.items():
        keys = member.keys(1, 1)
        if name == last:
            mine = (replace(keys.keys[0], mask=bytes(32)),)
            keys = sign_keys(session, name, first_round=1, keys=mine, identity=identity(4))
        with suppress(MessageError):
            asked.add_keys(name, keys)
    keyed = asked.keys()
    for name in keyed:
        honest = {**keyed, name: members[name].keys(1, 1)}  # as if nothing were wrong with its key
        asked.add_shares(name, members[name].shares(1, honest))
    for name in session.names[:-1]:
        with suppress(MessageError):
            asked.add_masked(name, members[name].mask(1, totals[name], asked.shares_for(name), model_hash=MODEL))
    return len(asked._masked) < session.threshold


def vectors_are_not_uniform(folder: Path) -> bool:
    """Look at the bytes of many masked vectors of small totals, as real ones are."""
    session = make_session(5)
    totals = {name: total >> 20 for name, total in totals_of(session, size=4000).items()}
    asked = to_masked(make_members(session, folder), totals)
    return bool(check_bytes(torch.from_numpy(np.stack(list(asked._masked.values())).view(np.int64))))


def seeds_are_short(folder: Path) -> bool:
    """Turn over each bit of a seed, and expand many seeds."""
    return bool(check_seeds(2000))


def invented_members_are_accepted(plan: Plan) -> bool:
    """Propose a roster of whom the merchant has verified nobody."""
    own, *invented = (Peer(name=f"shop-{place}", key=f"{place + 1:064x}", size_class=1) for place in range(5))
    limits = SumLimits(smallest_cohort=5, verified_peers=1, colluders=1, epsilon_if_all_collude=8.0)
    return _is_accepted(Policy.model_construct(sum=limits), plan, (own, *invented))


def too_few_colluders_are_borne(plan: Plan) -> bool:
    """Propose a plan that bears one colluder to a merchant that wants it to bear two."""
    roster = tuple(Peer(name=f"shop-{place}", key=f"{place + 1:064x}", size_class=1) for place in range(5))
    limits = SumLimits(smallest_cohort=5, verified_peers=0, colluders=2, epsilon_if_all_collude=8.0)
    return _is_accepted(Policy.model_construct(sum=limits), plan, roster)


def peers_elsewhere_count(folder: Path) -> bool:
    """Propose a long roster to a merchant that knows peers in another cohort alone."""
    roster = tuple(Peer(name=f"shop-{place}", key=f"{place + 1:064x}", size_class=1) for place in range(8))
    terms = SumPlan(threshold=3, colluders=1, cohort=4)
    plan = Plan.model_construct(name="long", privacy=PrivacyPlan.model_construct(trust="sum", sum=terms))
    mates = session_of(roster[0].name, form_sessions(roster, MODEL, terms)).roster
    known = tuple(fingerprint(peer) for peer in roster if peer not in mates)
    limits = SumLimits(smallest_cohort=4, verified_peers=2, colluders=1, epsilon_if_all_collude=8.0, peers=known)
    return _is_accepted(Policy.model_construct(sum=limits), plan, roster)


def _is_accepted(policy: Policy, plan: Plan, roster: tuple[Peer, ...]) -> bool:
    try:
        require_trust(policy, plan, num_members=len(roster))
        sum_terms.join_session(policy, plan, MODEL, roster, own=roster[0])
    except HansaError:
        return False
    return True


Probe = Callable[[Path], bool]
PROBES: tuple[Probe, ...] = (
    noise_shows_by_repeats,
    sum_is_wrong_at_the_edge,
    sum_is_wrong_by_a_liar,
    one_key_stops_everybody,
    peers_elsewhere_count,
    vectors_are_not_uniform,
    seeds_are_short,
)
