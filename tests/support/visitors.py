"""Two people who may see a page and one who may not, and the tokens with which they come."""

from __future__ import annotations

import http.client
import json
import re
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
from sqlalchemy import create_engine, insert

from analytics_core.dal import tables
from tests.support import studio
from tests.support.serving import KEY, KID, Server, analytics, ticket

THEO = "theo@example.com"
THEOS_RENDERS = 17
AUDIENCE = "usage-analytics"


def people(folder: Path) -> str:
    """The URL of a database with the studio's history and another user with few renders."""
    url = f"sqlite:///{folder / 'analytics.db'}"
    assert analytics("init", url=url).returncode == 0
    fill(url)
    return url


def fill(url: str) -> None:
    """Write both into a database that has its tables."""
    studio.fill(url)
    now = datetime.now(UTC)
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(
            insert(tables.UserRow),
            [{"id": "u3", "email": THEO, "name": "Theo Other", "zone": None, "is_active": True,
              "last_login_at": now, "created_at": now - timedelta(days=90)}],
        )  # fmt: skip
        connection.execute(
            insert(tables.RenderRow),
            [{"id": f"theo{n}", "user_id": "u3", "project_id": None, "type": "image",
              "status": "completed", "quality": "high", "platform": "web",
              "source_platform": None, "plugin_version": None, "credits_cost": 1,
              "processing_time": 3.0, "created_at": now - timedelta(days=2, minutes=n)}
             for n in range(THEOS_RENDERS)],
        )  # fmt: skip
    engine.dispose()


def claims(sub: str | None, /, **changed: Any) -> dict[str, Any]:
    """The claims of a good link; those that are None are left out."""
    now = int(time.time())
    usual = {"aud": AUDIENCE, "sub": sub, "iat": now, "exp": now + 120, "jti": f"{time.time_ns()}"}
    return {name: value for name, value in {**usual, **changed}.items() if value is not None}


def token(
    sub: str | None,
    /,
    *,
    key: Any = KEY,
    kid: str | None = KID,
    algorithm: str = "HS256",
    **changed: Any,
) -> str:
    """A token as a product's backend makes it, with whatever a test changes."""
    headers = {"kid": kid} if kid else {}
    return jwt.encode(claims(sub, **changed), key, algorithm=algorithm, headers=headers)


@dataclass
class Answer:
    status: int
    body: str
    headers: http.client.HTTPMessage

    @property
    def cookies(self) -> list[str]:
        return self.headers.get_all("Set-Cookie", [])

    @property
    def card(self) -> dict[str, str]:
        """The numbers of the cards, as painted."""
        return dict(re.findall(r'data-key="([\w-]+)" data-value="([^"]*)"', self.body))


@dataclass
class Client:
    """A browser without scripts: it keeps cookies."""

    server: Server
    jar: dict[str, str] = field(default_factory=dict)

    def ask(self, path: str, method: str = "GET", body: str = "", **headers: str) -> Answer:
        connection = http.client.HTTPConnection(self.server.host, timeout=60)
        sent = {"Accept": "text/html"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        if self.jar:
            sent.setdefault("Cookie", self.cookie)
        connection.request(method, path, body=body or None, headers=sent)
        answer = connection.getresponse()
        text = answer.read().decode(errors="replace")
        connection.close()
        found = Answer(answer.status, text, answer.headers)
        for line in found.cookies:
            name, _, value = line.partition(";")[0].partition("=")
            self.jar[name] = value
        return found

    @property
    def cookie(self) -> str:
        return "; ".join(f"{name}={value}" for name, value in self.jar.items())

    def come(self, sub: str, **changed: Any) -> Answer:
        """Open the page by a new link."""
        return self.ask(f"/?token={token(sub, **changed)}")

    def open_kernel(self, page: Answer) -> tuple[str, str]:
        """The kernel of a page, and all that it said."""
        answer = self.ask(ticket(page.body))
        assert answer.status == 200, answer.body
        kernel: str = json.loads(answer.body)["kernel"]
        return kernel, answer.body


def come(server: Server, sub: str, **changed: Any) -> Client:
    """Somebody who is in."""
    client = Client(server)
    page = client.come(sub, **changed)
    assert page.status == 200, page.body
    return client
