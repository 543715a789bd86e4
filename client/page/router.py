"""Every address of the page."""

from __future__ import annotations

from fastapi import APIRouter

from client.page.route import (
    asset,
    customer,
    data,
    demand,
    federation,
    language,
    market,
    offer,
    order,
    participation,
    plan,
    privacy,
    setting,
    today,
    whatif,
)

router = APIRouter()
for _module in (
    asset, language, today, order, customer, offer, demand, whatif, market, data, federation, plan,
    participation, privacy, setting,
):  # fmt: skip
    router.include_router(_module.router)
