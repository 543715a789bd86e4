"""The merchant's side: data, training, ledger; it trusts nobody."""

from common.flower import silence_flower

silence_flower()
