"""`hansa-client peers`: who the others of a secure sum are, and which of them this merchant has verified itself."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from client.folder import MerchantFolder, PlaceOption
from common.command.app import JsonOption
from common.command.output import say
from common.command.program import EXIT_NO
from common.errors import ConfigError

if TYPE_CHECKING:
    from client.account.peer_book import ProposedRoster

GROUP = 4  # digits that are read out in one breath


def peers(
    verify: Annotated[
        str, typer.Option(help="Fingerprint that you were told, or name of the merchant who told you hers.")
    ] = "",
    folder: PlaceOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Show and verify whose sums yours joins.

    Your fingerprint, to read out, and those of every merchant in the sums that were proposed lately. With --verify one
    of them is added to sum.peers of your policy; exit code 1 says that you have to write it there yourself.
    """
    from certs.key import read_or_make_signing_key  # heavy, as is what follows
    from client.account.peer_book import read_rosters
    from client.account.policy import read_policy
    from common.message.signature import name_key, public_bytes

    home = MerchantFolder(folder)
    key = public_bytes(read_or_make_signing_key(home.peer_key))
    own = name_key(key)
    rosters = read_rosters(home.peers)
    if verify:
        _verify(home, find_fingerprint(verify, rosters, own=own), rosters, as_json=as_json)
        return
    terms = read_policy(home.policy).sum if home.policy.exists() else None
    verified = frozenset(() if terms is None else terms.peers)
    shown = [_describe(proposed, verified, key) for proposed in rosters]
    wanted = None if terms is None else terms.verified_peers
    said = {"fingerprint": own, "verified": sorted(verified), "verified_peers": wanted, "sums": shown}
    say(said, "\n".join(_lines(own, shown, wanted)), as_json=as_json)


def group(fingerprint: str) -> str:
    """Write a fingerprint in groups that can be read out over a telephone."""
    return " ".join(fingerprint[place : place + GROUP] for place in range(0, len(fingerprint), GROUP))


def find_fingerprint(told: str, rosters: tuple[ProposedRoster, ...], *, own: str) -> str:
    """Make a fingerprint of what was typed: its digits in any groups, or the name of a merchant in a roster.

    Raises
    ------
    ConfigError
        It is neither, the name stands for two keys, or it is this merchant's own.
    """
    from client.account.sum_terms import fingerprint

    digits = re.sub(r"[\s:.-]", "", told).lower()
    if re.fullmatch(r"[0-9a-f]{64}", digits):
        found = {digits}
    else:
        found = {fingerprint(peer) for each in rosters for peer in each.roster if peer.name == told}
    if not found:
        raise ConfigError(
            f"--verify {told[:100]!r} is no fingerprint of 64 digits and no merchant of a sum that was proposed; see: "
            "hansa-client peers"
        )
    if len(found) > 1:
        raise ConfigError(
            f"{told!r} stands for {len(found)} keys in the sums that were proposed; give the fingerprint."
        )
    if found == {own}:
        raise ConfigError("That is your own fingerprint; give one that another merchant told you.")
    return found.pop()


def _verify(home: MerchantFolder, digest: str, rosters: tuple[ProposedRoster, ...], *, as_json: bool) -> None:
    from client.account.policy_text import verify_peer
    from client.account.sum_terms import fingerprint

    names = sorted({peer.name for each in rosters for peer in each.roster if fingerprint(peer) == digest})
    whose = " and ".join(names) or "of nobody in a sum that was proposed yet"
    said: dict[str, Any] = {"fingerprint": digest, "names": names}
    try:
        is_new = verify_peer(home.policy, digest)
    except ValueError:
        line = f'peers = ["{digest}"]'
        words = f"Write the fingerprint into the section [sum] of {home.policy} yourself, in the list\n{line}"
        say(said | {"verified": False, "line": line}, words, as_json=as_json)
        raise typer.Exit(EXIT_NO) from None
    words = f"{'Verified' if is_new else 'Verified before'}: {whose}\n{group(digest)}"
    say(said | {"verified": True, "line": None}, words, as_json=as_json)


def _describe(proposed: ProposedRoster, verified: frozenset[str], key: bytes) -> dict[str, Any]:
    """Describe who sums with this merchant: of a long roster, its own cohort."""
    from client.account.sum_terms import fingerprint

    peers = [
        {
            "name": peer.name,
            "size_class": peer.size_class,
            "fingerprint": fingerprint(peer),
            "verified": fingerprint(peer) in verified,
            "own": peer.key == key.hex(),
        }
        for peer in proposed.mates_of(key.hex())
    ]
    return {"plan": proposed.plan, "run_hash": proposed.run_hash, "at": proposed.at.isoformat(), "peers": peers}


def _lines(own: str, sums: list[dict[str, Any]], wanted: int | None) -> list[str]:
    lines = ["Your fingerprint, to read out to a merchant whose voice you know:", f"  {group(own)}"]
    if not sums:
        lines.append("No sum was proposed to you yet, so there is nobody to compare with.")
    for proposed in sums:
        others = [peer for peer in proposed["peers"] if not peer["own"]]
        known = sum(peer["verified"] for peer in others)
        asked = "" if wanted is None else f"; your policy wants {wanted}"
        lines += ["", f"Plan {proposed['plan']!r}: you have verified {known} of the {len(others)} others{asked}."]
        for peer in proposed["peers"]:
            state = "you" if peer["own"] else "verified" if peer["verified"] else "not verified"
            lines += [f"  {_plain(peer['name'])} ({state})", f"    {group(peer['fingerprint'])}"]
    if sums:
        lines += ["", "Have it read out to you, compare every group, then: hansa-client peers --verify NAME"]
    return lines


def _plain(name: str) -> str:
    """Show a name that a stranger chose on one line."""
    return name if name.isprintable() else repr(name)
