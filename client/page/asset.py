"""The page's style sheets and scripts: those of every page of hansa's, and its own for charts."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

from common.page.asset import SHARED, Asset, read_asset

OWN = ("chart.js", "vendor/uplot/uPlot.iife.min.js", "vendor/uplot/uPlot.min.css")


@cache
def read_assets() -> Mapping[str, Asset]:
    """Read all of them, by name, once in a process."""
    shared = {name: read_asset(name, "common.page") for name in SHARED}
    return MappingProxyType(shared | {name: read_asset(name, "client.page") for name in OWN})


@cache
def assets_by_path() -> Mapping[str, Asset]:
    """Give them by the path at which they are asked for."""
    return MappingProxyType({asset.path: asset for asset in read_assets().values()})


def path_of(name: str) -> str:
    """Give the path of an asset, for a template."""
    return read_assets()[name].path
