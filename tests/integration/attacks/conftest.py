"""Two users of a running server; what only one of them has is looked for in all that comes back."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from tests.support import rows
from tests.support.attacks.attempts import Ground
from tests.support.attacks.sessions import session_of
from tests.support.serving import Server, start_for_many, studio_in

VICTIM = "victoria-7f3a@example.com"
# Their name, address, id, route, and a number of credits that nobody else has.
MARKERS = (
    b"victoria-7f3a", b"Victoria Vane", b"u-victim-7f3a", b"/v1/secret-7f3a", b"770077", b"770,077"
)  # fmt: skip


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    url = studio_in(tmp_path_factory.mktemp("studio"))
    now = datetime.now(UTC)
    days = [now - timedelta(days=n, minutes=7) for n in range(40)]
    victim = "u-victim-7f3a"
    rows.insert(
        url,
        [
            rows.user(victim, email=VICTIM, name="Victoria Vane"),
            *(rows.render(victim, day) for day in days),
            *(rows.call(victim, day, route="/v1/secret-7f3a") for day in days),
            rows.transaction(victim, days[1], kind="debit", category="render", amount=770_077),
        ],
    )
    return url


@pytest.fixture(scope="module")
def server(url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server, at which everybody is."""
    with start_for_many(url, tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture(scope="module")
def ground(server: Server) -> Iterator[Ground]:
    ground = Ground(session_of(server), session_of(server, VICTIM))
    yield ground
    ground.mine.close()
    ground.theirs.close()
