"""Recording over HTTP, for products in other languages.

`cloudevents` makes lines of the spool out of what is told, `durable` brings them onto the disk for
many requests at once, `server` speaks HTTP, and `description` says in OpenAPI what it speaks.
"""

from analytics_core.telemetry.collector.server import Collector, serve

__all__ = ["Collector", "serve"]
