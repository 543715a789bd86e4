"""The merchant's side: data, training, ledger; it trusts nobody."""

from common.machine.flower import silence_flower

silence_flower()
