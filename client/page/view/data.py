"""Data: what is odd, what is there, and what each import changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from zoneinfo import ZoneInfo

from client.language.number import say_day
from client.language.speech import join, mark, t
from client.language.trouble import say_trouble
from client.page.view.cell import read_day
from client.serving.process.importing import ImportJob
from client.shop.history.entry import Entry
from client.shop.settings import Shop

SEVERITIES = {"fault": mark("wrong"), "warning": mark("doubtful"), "note": mark("to know")}
STATES = {"partial": mark("not ended"), "undone": mark("taken back"), "done": ""}
KINDS = {
    "sales": mark("sales"),
    "returns": mark("returns"),
    "products": mark("products"),
    "stock": mark("stock levels"),
    "prices": mark("prices"),
    "promotions": mark("promotions"),
    "views": mark("page views"),
    "carts": mark("carts"),
    "searches": mark("searches"),
    "reviews": mark("reviews"),
    "events": mark("events"),
    "closures": mark("closures"),
    "terms": mark("suppliers and terms"),
    "on_order": mark("what is on order"),
}
FACTS = (
    mark("first day"),
    mark("last day"),
    mark("order lines"),
    mark("orders"),
    mark("products"),
    mark("customers"),
    mark("units sold"),
)
SHOWN_IMPORTS, SHOWN_JOBS = 100, 3


def show_data(
    health: Mapping[str, Any], shop: Shop, journal: Sequence[Entry], jobs: Sequence[ImportJob]
) -> dict[str, Any]:
    """Lay out data health, sources and imports.

    Parameters
    ----------
    health
        As `hansa-client check --json` says it; empty where it is not known.
    jobs
        Files that were handed in, the newest first.
    """
    running = [job for job in jobs if job.state in ("waiting", "running")]
    return {
        "sources": [{"name": each.name, "location": each.location} for each in shop.sources],
        "work": t("{name} is being imported …", name=running[-1].name or t("Everything")) if running else "",
        "done": [_say_job(job) for job in jobs if job.state in ("done", "failed")][:SHOWN_JOBS],
        "problems": [
            {**each, "severity_words": t(SEVERITIES[each["severity"]])} for each in health.get("problems", [])
        ],
        "facts": [(t(name), _write(value)) for name, value in health.get("facts", {}).items()],
        "imports": [_show_import(entry, ZoneInfo(shop.time_zone)) for entry in reversed(journal)][:SHOWN_IMPORTS],
    }


def _say_job(job: ImportJob) -> tuple[str, str]:
    if job.state == "failed":
        return "fault", t("{name}: {trouble}", name=job.name or t("Everything"), trouble=say_trouble(job.trouble))
    counts = [count for each in (job.said or {}).get("imports", []) for count in each["counts"].values()]
    new, changed = (sum(count[key] for count in counts) for key in ("new", "changed"))
    name = job.name or t("Everything")
    if job.is_new:
        kinds = sorted({kind for each in (job.said or {}).get("imports", []) for kind in each["counts"]})
        told = {"name": name, "kinds": join((t(KINDS.get(kind, kind)) for kind in kinds), t(", ")), "new": new}
        if not kinds:
            return "", t("{name} tells nothing that another source does not tell already.", name=name)
        return "", t("{name} is a source from now on; it tells of {kinds}: {new:,} new.", **told)
    if not new and not changed:
        return "", t("{name}: nothing new in it.", name=name)
    return "", t("{name}: {new:,} new, {changed:,} changed.", name=name, new=new, changed=changed)


def _write(value: object) -> str:
    if isinstance(value, int | float):
        return f"{value:,}"
    day = str(value)
    return say_day(read_day(day), this_year=0) if len(day) == 10 else day  # type: ignore[arg-type]


def _show_import(entry: Entry, zone: ZoneInfo) -> dict[str, Any]:
    counts = entry.counts.values()
    return {
        "number": entry.number,
        "day": entry.at.astimezone(zone).date(),
        "source": entry.source,
        "origin": entry.origin,
        "state_words": t(STATES[entry.state]) if STATES[entry.state] else "",
        "new": sum(each.new for each in counts),
        "replaced": sum(each.replaced for each in counts),
        "left_out": sum(said.count for said in entry.left_out if said.is_fault),
        "can_undo": entry.state != "undone",
    }
