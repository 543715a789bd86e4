"""Add one hash to a list of a policy as its owner wrote it: every comment, space and other value stays."""

from __future__ import annotations

import re
from pathlib import Path

from client.account.policy import Policy, read_policy
from common.disk.file import write_whole
from common.plan.reading import parse_toml


def with_hash(text: str, section: str, key: str, digest: str) -> str:
    """Add a hash to the list `key` of a section, and change nothing else.

    Raises
    ------
    ValueError
        The list is not written as the starter writes it; the owner must do it herself.
    """
    before, found, after = text.partition(f"\n[{section}]")
    inside, next_section, rest = after.partition("\n[")
    pattern = re.compile(rf"(?m)^({key}\s*=\s*\[)([^\]]*)(\])")
    if not found or len(pattern.findall(inside)) != 1:
        raise ValueError(key)
    return before + found + pattern.sub(lambda old: _with_one_more(old, digest), inside) + next_section + rest


def verify_peer(path: Path, digest: str) -> bool:
    """Add a fingerprint to `sum.peers` of a policy's file; return whether it was new.

    Raises
    ------
    ValueError
        The policy has no such list, or not as the starter writes it: its owner must write the fingerprint herself.
    HansaError
        The policy cannot be read.
    """
    before = read_policy(path)
    if before.sum is None:
        raise ValueError("sum")
    if digest in before.sum.peers:
        return False
    text = with_hash(path.read_text(encoding="utf-8"), "sum", "peers", digest)
    wanted = before.model_copy(update={"sum": before.sum.model_copy(update={"peers": (*before.sum.peers, digest)})})
    if parse_toml(text, Policy, origin=str(path)) != wanted:
        raise ValueError("peers")
    write_whole(path, text.encode())
    return True


def _with_one_more(old: re.Match[str], digest: str) -> str:
    inside = old[2].strip().rstrip(",")
    return f'{old[1]}{inside}{", " if inside else ""}"{digest}"{old[3]}'
