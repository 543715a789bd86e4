"""GET /asset/…: style sheets and scripts, by names that hold their hash."""

from __future__ import annotations

from fastapi import Request, Response

from client.page.asset import FOR_EVER, assets_by_path
from client.page.route.page import make_router
from client.serving.process.refusal import Refusal

router = make_router()


@router.get("/asset/{name}")
async def get_asset(request: Request, name: str) -> Response:
    """Send an asset, packed where the asker can unpack it."""
    asset = assets_by_path().get(request.url.path)
    if asset is None:
        raise Refusal(404, "not_found", f"There is no {name[:80]!r}.", "load the page again")
    headers = {"cache-control": FOR_EVER, "vary": "accept-encoding"}
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(asset.packed, headers={**headers, "content-encoding": "gzip"}, media_type=asset.kind)
    return Response(asset.content, headers=headers, media_type=asset.kind)
