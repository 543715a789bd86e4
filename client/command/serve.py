"""`hansa-client serve`: one process that answers machines, and shows the shop's page."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from common.command.app import JsonOption
from common.command.output import print_json


def serve(
    folder: Annotated[Path, typer.Option("--folder", help="Folder with shop.toml and the shop's history.")] = Path(),
    host: Annotated[str, typer.Option("--host", help="Address to listen on; another than loopback needs --tls.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Port of page and API; 0 for any free one.")] = (
        8642
    ),
    grpc_port: Annotated[
        int, typer.Option("--grpc-port", min=0, max=65535, help="Port of gRPC; 0 for any free one.")
    ] = 8643,
    tls: Annotated[
        Path | None, typer.Option("--tls", help="Folder with server.pem and server.key.", show_default=False)
    ] = None,
    opens: Annotated[
        bool | None,
        typer.Option(
            "--open/--no-open", help="Open the page in a browser; in a terminal if left out.", show_default=False
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Serve the shop to page and machines.

    Forecasts, orders and all else, made anew whenever the shop changes. Only on this machine, and only to who has the
    shop's token. Ctrl-C ends it.
    """
    # What the server starts are programs of their own, so gRPC need not follow a fork, nor say that it does not.
    os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
    from client.serving.folder import ServedFolder  # heavy, as is what follows
    from client.serving.process.opening import open_in_browser
    from client.serving.process.place import find_place
    from client.serving.process.server import serve as run_server
    from client.shop.settings import read_shop
    from common.disk.lock import hold
    from common.http.listening import listen
    from common.http.token import Keys, read_or_make_token

    read_shop(folder)
    place, home = find_place(host, port, grpc_port, tls), ServedFolder(folder)
    home.prepare()
    lock = hold(home.lock, taken=home.say_taken())
    try:
        home.forget_uploads()
        keys = Keys(read_or_make_token(home.token))
        sockets = listen(host, port, advice="choose another --port, or stop who has it")
        place = replace(place, port=sockets[0].getsockname()[1])
        home.note_address(place.address)
        shows = sys.stdout.isatty() if opens is None else opens

        def announce(grpc_port: int) -> None:
            page = f"{place.address}/open/{keys.make_word()}"
            if as_json:
                print_json(
                    {
                        "address": place.address,
                        "grpc": f"{host}:{grpc_port}",
                        "page": page,
                        "token": keys.token,
                        "token_file": str(home.token),
                    }
                )
            else:
                typer.echo(f"Serving at {place.address}; Ctrl-C ends it.")
                typer.echo(f"The page, opened by this address once: {page}")
                typer.echo(f"The inference protocol is served there, and over gRPC at {host}:{grpc_port}.")
                typer.echo(f"Programs send the token that is in {home.token}.")
            sys.stdout.flush()
            if shows:
                open_in_browser(page, home.opening)

        run_server(home, place, keys, sockets, on_start=announce)
    finally:
        home.address.unlink(missing_ok=True)
        home.opening.unlink(missing_ok=True)
        lock.release()
