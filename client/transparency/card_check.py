"""Whether a privacy card may be believed, for whoever was handed one: nothing but the card is needed.

A signature says that the card is as its key's owner wrote it; the numbers must also follow from each other, since an
owner may write anything. Neither says that the numbers are those of a ledger: only the merchant's own ledger does.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from client.transparency.card_signature import verify_card
from common.errors import PrivacyError
from common.privacy.accounting import epsilon_of, round_mu_squared
from common.privacy.guarantee import state_guarantee
from common.privacy.shared_noise import count_roundings

TOLERANCE = 1e-9  # of a sum of rounds
SEARCHED = 1e-6  # of an epsilon, which is found by a search
Outcome = Literal["true", "changed", "other key", "contradicts itself"]


@dataclass(frozen=True)
class Verdict:
    """What was found.

    Attributes
    ----------
    public_key
        In hex, of whoever signed; None where nobody did.
    reason
        What is wrong; None for a card that may be believed.
    card
        What was signed; None where nothing was.
    """

    outcome: Outcome
    public_key: str | None = None
    reason: str | None = None
    card: Mapping[str, Any] | None = None


def check_card(signed: Any, *, key: str | None = None) -> Verdict:
    """Check a signed card by itself.

    Parameters
    ----------
    key
        The public key that it must be signed by, in hex, where the reader knows it.

    Raises
    ------
    DataError
        A later version of hansa wrote it.
    """
    try:
        card = verify_card(signed)
    except PrivacyError:
        return Verdict("changed", reason="it was changed after it was signed, or is no card")
    public_key = str(signed["public_key"]).lower()
    if key is not None and public_key != key.lower():
        return Verdict("other key", public_key, f"it is signed by the key {public_key}, not by {key.lower()}", card)
    try:
        contradiction = next(find_contradictions(card), None)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError):
        contradiction = "a number is missing, or is none"
    if contradiction is not None:
        return Verdict("contradicts itself", public_key, contradiction, card)
    return Verdict("true", public_key, None, card)


def find_contradictions(card: Mapping[str, Any]) -> Iterator[str]:
    """Say which numbers of a card do not follow from the others; may raise where one is missing or none."""
    release, seen = card["release"], card["guarantee_of_release"]
    promise, life, rounds = seen["everyone_else_colludes"], card["guarantee_for_life"], release["num_rounds"]
    least, most = _mu_squared_between(rounds, release["noise_multipliers"])
    spent = math.inf if promise["mu"] is None else promise["mu"] ** 2
    if not _is_within(spent, least, most):
        yield f"{rounds} rounds with noise {release['noise_multipliers']} do not make mu {promise['mu']}"
    yield from _contradictions_of(promise, "of the release")
    if math.isfinite(spent):
        stated = state_guarantee(spent, _own_delta(promise), num_coordinates=rounds * release["num_parameters"])
        if not math.isclose(stated.numerical_delta, promise["numerical_delta"], rel_tol=10 * SEARCHED):
            yield f"delta {promise['delta']} is not that of {rounds} rounds of {release['num_parameters']} numbers"
    yield from _contradictions_of(life, "for life")
    summed = seen["secure_sum"]
    if isinstance(summed, dict):
        yield from _contradictions_of_sum(summed, promise, life, rounds=rounds, size=release["num_parameters"])
    elif _mu_squared(life) < spent * (1 - TOLERANCE):
        yield "all releases together cost less than this one"
    for name in ("released_models_only", "another_participant"):
        if isinstance(seen[name], dict):
            yield from _contradictions_of(seen[name], name.replace("_", " "))
            if seen[name]["mu"] is None or seen[name]["mu"] ** 2 > spent * (1 + TOLERANCE):
                yield "whoever sees the models alone would see more than everybody together"
    if isinstance(card["customers"], dict):
        yield from _contradictions_of(card["customers"], "of a customer")
    if f"one {card['unit']} " not in card["adjacency"]:
        yield "the unit and the adjacency are about different things"
    if not re.fullmatch(r"[0-9a-f]{64}", card["ledger"]["head"]) or card["ledger"]["num_lines"] <= rounds:
        yield f"a ledger of {card['ledger']['num_lines']} lines cannot have charged {rounds} rounds"
    if math.isinf(spent) and not card["not_protected"][0].startswith("ANYBODY"):
        yield "rounds left without noise, and it is not said that nothing is protected"


def _contradictions_of_sum(
    summed: Mapping[str, Any], alone: Mapping[str, Any], life: Mapping[str, Any], *, rounds: int, size: int
) -> Iterator[str]:
    """Hold what the coordinator learns against what everybody learns together, of which it is the h-th part."""
    share, spent = summed["noise_share"], _mu_squared(summed)
    yield from _contradictions_of(summed, "of the sum")
    if not isinstance(share, int) or share < 1:
        yield f"noise is not shared by {share} merchants"
    elif not _is_within(spent, _mu_squared(alone) / share, _mu_squared(alone) / share):
        yield f"mu {summed['mu']} of the sum is not that of noise that {share} merchants share"
    elif math.isfinite(spent):
        roundings = count_roundings(rounds * size, share)
        stated = state_guarantee(spent, _own_delta(summed), num_coordinates=roundings)
        if not math.isclose(stated.numerical_delta, summed["numerical_delta"], rel_tol=10 * SEARCHED):
            yield f"delta {summed['delta']} is not that of {rounds} sums of {size} numbers"
    together, colluders, members = life["if_all_collude"], summed["colluders"], summed["num_members"]
    yield from _contradictions_of(together, "for life if all others collude")
    if _mu_squared(life) < spent * (1 - TOLERANCE) or _mu_squared(together) < _mu_squared(alone) * (1 - TOLERANCE):
        yield "all releases together cost less than this one"
    if _mu_squared(together) < _mu_squared(life) * (1 - TOLERANCE):
        yield "all others together would learn less than the coordinator"
    if colluders is not None and not (colluders >= 1 and share + colluders <= members):
        yield f"{share} of {members} merchants cannot be sure to be honest where {colluders} are not"


def _mu_squared(guarantee: Mapping[str, Any]) -> float:
    return math.inf if guarantee["mu"] is None else float(guarantee["mu"]) ** 2


def _mu_squared_between(rounds: int, sigmas: list[float]) -> tuple[float, float]:
    """Bound what so many rounds cost, each with one of these noises and each noise in one round at least."""
    costs = sorted(round_mu_squared(sigma) for sigma in sigmas)
    if not 1 <= len(costs) <= rounds:
        raise ValueError
    spare, once = rounds - len(costs), math.fsum(costs)
    return (once, once) if spare == 0 else (once + spare * costs[0], once + spare * costs[-1])


def _is_within(value: float, least: float, most: float) -> bool:
    if math.isinf(most):
        return math.isinf(value)
    return least * (1 - TOLERANCE) <= value <= most * (1 + TOLERANCE)


def _own_delta(guarantee: Mapping[str, Any]) -> float:
    return float(guarantee["delta"] - guarantee["numerical_delta"])


def _contradictions_of(guarantee: Mapping[str, Any], which: str) -> Iterator[str]:
    """Hold epsilon against mu and delta."""
    mu, epsilon = guarantee["mu"], guarantee["epsilon"]
    if mu is None or epsilon is None:
        if mu is not epsilon:
            yield f"the guarantee {which} has a mu or an epsilon, and not the other"
    elif not 0 < _own_delta(guarantee) < 1 or not math.isclose(
        epsilon_of(mu, _own_delta(guarantee)), epsilon, rel_tol=SEARCHED
    ):
        yield f"epsilon {epsilon} {which} does not follow from mu {mu} at delta {guarantee['delta']}"
