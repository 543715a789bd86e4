"""A SuperLink without a process, for a coordinator whose merchants answer in this one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from server.process.superlink import SuperLink


@dataclass(frozen=True)
class KnownNodes(SuperLink):
    """A SuperLink whose nodes are known by their keys before anybody registers."""

    nodes_by_key: dict[str, int] = field(default_factory=dict)
    out: list[int] = field(default_factory=list)

    def register(self, node_keys: Sequence[str]) -> list[int]:
        return [self.nodes_by_key[key] for key in node_keys]

    def unregister(self, node_id: int) -> None:
        """Note who is shut out."""
        self.out.append(node_id)

    def nodes(self) -> dict[int, str]:
        return {node: key for key, node in self.nodes_by_key.items()}
