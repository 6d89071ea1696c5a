"""`analytics collect`: take events over HTTP, from products in other languages."""

from __future__ import annotations

from typing import Annotated

import typer


def collect(
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="The port; 0 for any that is free.")
    ] = 8870,
    host: Annotated[
        str, typer.Option(help="The address to listen on; others than this machine's need TLS.")
    ] = "127.0.0.1",
) -> None:
    """Take CloudEvents over HTTP until Ctrl+C or SIGTERM; prints the address that it answers at.

    Producers show the key that ANALYTICS_COLLECTOR_KEY or ANALYTICS_COLLECTOR_KEY_FILE holds.
    """
    import asyncio
    import logging

    from analytics_core.settings import Settings
    from analytics_core.telemetry.collector.server import Collector, bind, serve

    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.WARNING)
    collector = Collector(Settings.read())
    try:
        asyncio.run(serve(collector, bind(host, port), typer.echo))
    finally:
        collector.close()
