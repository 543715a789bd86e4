"""Approve a key or a plan: add its hash to the policy's file, and change nothing else there."""

from __future__ import annotations

import re
from typing import Literal

from client.account.policy import Policy, read_policy
from client.account.policy_text import with_hash
from client.folder import MerchantFolder
from client.language.speech import t
from common.disk.file import write_whole
from common.errors import ConfigError
from common.plan.reading import parse_toml

Key = Literal["coordinators", "plans"]


def with_approved(policy: Policy, key: Key, digest: str) -> Policy:
    """Give a policy in which one more is approved."""
    known = getattr(policy.approval, key)
    if digest in known:
        return policy
    return policy.model_copy(update={"approval": policy.approval.model_copy(update={key: (*known, digest)})})


def add_approval(home: MerchantFolder, key: Key, digest: str) -> None:
    """Add a hash to the policy's approval, and nothing else.

    Raises
    ------
    ConfigError
        It is no hash, or the policy is written in a way that only its owner can change.
    """
    if not re.fullmatch(r"[0-9a-f]{64}", digest):
        raise ConfigError(t("This is no hash of a plan or key."))
    before = read_policy(home.policy)
    wanted = with_approved(before, key, digest)
    if wanted == before:
        return
    try:
        text = with_hash(home.policy.read_text(encoding="utf-8"), "approval", key, digest)
    except ValueError as error:
        raise _written_otherwise(key, digest) from error
    if parse_toml(text, Policy, origin=str(home.policy)) != wanted:
        raise _written_otherwise(key, digest)
    write_whole(home.policy, text.encode())


def _written_otherwise(key: Key, digest: str) -> ConfigError:
    said = t(
        "Write {digest} into approval.{key} of policy.toml yourself: it is written otherwise than expected.",
        digest=digest,
        key=key,
    )
    return ConfigError(said)
