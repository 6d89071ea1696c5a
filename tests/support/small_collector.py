"""A collector with limits that a test can reach: `python -m tests.support.small_collector JSON`."""

from __future__ import annotations

import asyncio
import json
import sys

import typer

from analytics_core.settings import Settings
from analytics_core.telemetry.collector.server import LOOPBACK, Collector, Limits, bind, serve


def main() -> None:
    collector = Collector(Settings.read(), Limits(**json.loads(sys.argv[1])))
    try:
        asyncio.run(serve(collector, bind(LOOPBACK, 0), typer.echo))
    finally:
        collector.close()


if __name__ == "__main__":
    main()
