"""Compile the kernel when hansa is installed or packed, where a compiler is at hand; elsewhere it is Python alone."""

from __future__ import annotations

import runpy
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class KernelHook(BuildHookInterface[Any]):
    """A wheel with a kernel is one for this kind of processor, and for every Python that hansa runs on."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, and lay what came of it into the wheel; an editable install finds it beside its source."""
        root = Path(self.root)
        built: list[Path] = runpy.run_path(str(root / "client" / "round" / "fused" / "build.py"))["build"]()
        if version != "editable" and built:
            build_data["pure_python"] = False
            build_data["tag"] = f"py3-none-{sysconfig.get_platform().replace('-', '_').replace('.', '_')}"
            build_data["force_include"] |= {str(path): str(path.relative_to(root)) for path in built}
