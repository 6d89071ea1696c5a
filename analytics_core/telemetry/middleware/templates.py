"""Route templates of Starlette and what is built on it, FastAPI foremost.

A router leaves the endpoint that it chose in the scope. Which template leads to an endpoint is
looked up in a table, made by walking all routes once; only where several do, or none is known, is
the call matched again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, TypeAlias

from analytics_core.telemetry.middleware.call import UNMATCHED, clean_route

Scope: TypeAlias = dict[str, Any]

# What was wrapped this often is wrapped around itself.
_DEEPEST = 32
_SEVERAL = None


class Templates:
    """The templates of one application."""

    def __init__(self, app: Any) -> None:
        # Kept with each endpoint, whose id could be another's once it is gone.
        self._known: dict[int, tuple[Any, str | None]] = {}
        self._app = app

    def of(self, scope: Any, root: str) -> str:
        """The template of a call that was answered, behind the root that it came in with."""
        endpoint = scope.get("endpoint")
        template: str | None = _SEVERAL
        if endpoint is not None:
            known = self._known.get(id(endpoint))
            if known is None:
                self._known = self._walked()
                known = self._known.get(id(endpoint))
            if known is not None:
                template = known[1]
        if template is _SEVERAL:
            template = _matched(
                routes_of(self._app),
                {
                    # What handling it left behind would lead the matching astray.
                    **{name: scope[name] for name in scope.keys() - {"fastapi", "endpoint"}},
                    "root_path": root,
                    "path_params": {},
                },
            )
        if not template:
            return UNMATCHED
        if root:
            return clean_route(root.rstrip("/") + template)
        return template

    def _walked(self) -> dict[int, tuple[Any, str | None]]:
        found: dict[int, tuple[Any, str | None]] = {}
        for endpoint, template in _walk(routes_of(self._app), "", 0):
            _, known = found.get(id(endpoint), (endpoint, template))
            found[id(endpoint)] = endpoint, template if template == known else _SEVERAL
        return found


def routes_of(app: Any) -> list[Any]:
    """The routes of an application, through whatever is wrapped around it."""
    for _ in range(_DEEPEST):
        routes = getattr(app, "routes", None)
        if isinstance(routes, list):
            return routes
        app = getattr(app, "app", None)
    return []


def _flat(routes: Iterable[Any]) -> Iterator[Any]:
    """Routes, with those that FastAPI includes by reference as they are where they are included."""
    for route in routes:
        contexts = getattr(route, "effective_route_contexts", None)
        if contexts is None:
            yield route
        else:
            for context in contexts():
                yield context.starlette_route or context


def _prefix(route: Any) -> str | None:
    """What a mount or host puts in front of its routes; None for a route that is neither."""
    if hasattr(route, "host"):
        return ""
    if hasattr(route, "routes") and hasattr(route, "app"):
        return str(route.path_format).removesuffix("/{path}")
    return None


def _walk(routes: Iterable[Any], before: str, depth: int) -> Iterator[tuple[Any, str]]:
    """Each endpoint with a template that leads to it; with "" where it is no call's last stop."""
    for route in _flat(routes):
        prefix = _prefix(route)
        if prefix is None:
            endpoint = getattr(route, "endpoint", None)
            if endpoint is not None and hasattr(route, "path_format"):
                yield endpoint, clean_route(before + route.path_format)
            continue
        inner = routes_of(route.app)
        if inner and depth < _DEEPEST:
            yield route.app, ""
            yield from _walk(inner, before + prefix, depth + 1)
        else:
            yield route.app, clean_route(f"{before}{prefix}/{{path}}")


def _matched(routes: Iterable[Any], scope: Scope, depth: int = 0) -> str:
    """The template that a router takes a call to, by its own rules; "" for none."""
    partial = ""
    for route in _flat(routes):
        if not hasattr(route, "matches"):
            continue
        match, child = route.matches(scope)
        # starlette.routing.Match: none, partial (another method), full.
        if not match.value:
            continue
        prefix = _prefix(route)
        if prefix is None:
            template = clean_route(getattr(route, "path_format", ""))
            if match.value == 2:
                return template
            partial = partial or template
            continue
        inner = routes_of(route.app)
        if not inner or depth >= _DEEPEST:
            return clean_route(f"{prefix}/{{path}}")
        rest = _matched(inner, {**scope, **child}, depth + 1)
        return rest and clean_route(prefix + rest)
    return partial
