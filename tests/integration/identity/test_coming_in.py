"""Who comes in, by what, and what is told to everybody else."""

from __future__ import annotations

import http.client
import re
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.support import studio
from tests.support.serving import KEY, Server, analytics, free_port, start_for_many
from tests.support.visitors import THEO, THEOS_RENDERS, Answer, Client, come, token

NOW = int(time.time())
SECRET = "what-the-proxy-and-we-know-and-nobody-else"


def is_refusal(answer: Answer, status: int = 403) -> None:
    """A page in plain words with nobody's data, and nothing of the inside."""
    assert answer.status == status
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert answer.headers["Cache-Control"] == "no-store"
    assert "<h1>" in answer.body
    assert answer.cookies == []
    assert not re.search(r"data-value|Traceback|jwt|tornado|Theo|Studio", answer.body)


def test_a_link_shows_its_users_own_numbers(server: Server) -> None:
    mara, theo = Client(server), Client(server)
    of_mara, of_theo = mara.come("u1"), theo.come("u3")
    assert of_theo.card["renders"] == str(THEOS_RENDERS)
    assert int(of_mara.card["renders"]) > THEOS_RENDERS
    assert "Theo Other" in of_theo.body
    assert "Theo Other" not in of_mara.body


def test_a_user_may_be_named_by_address(server: Server) -> None:
    assert Client(server).come(THEO).card["renders"] == str(THEOS_RENDERS)


def test_a_team_sees_its_users_and_an_operator_everyone(server: Server) -> None:
    user = int(Client(server).come("u1", zone="UTC").card["renders"])
    team = Client(server).come("studio", users=["u1", "u3"])
    operator = Client(server).come("anna", role="operator")
    for answer in (team, operator):
        assert int(answer.card["renders"]) == user + THEOS_RENDERS


def test_days_are_cut_in_the_zone_of_the_link(server: Server) -> None:
    assert "Pacific/Kiritimati" in Client(server).come("u3", zone="Pacific/Kiritimati").body
    assert "Asia/Kolkata" in Client(server).come("u1").body


def test_a_link_is_good_once_and_its_browser_goes_on(server: Server) -> None:
    link = f"/?token={token('u3')}&tab=renders"
    theo = Client(server)
    assert theo.ask(link).status == 200
    is_refusal(Client(server).ask(link))
    # Reloading an address that still holds the link, and the address without it.
    assert theo.ask(link).card["renders"] == str(THEOS_RENDERS)
    assert theo.ask("/").card["renders"] == str(THEOS_RENDERS)


def test_an_old_link_goes_on_in_its_own_browser_alone(server: Server) -> None:
    theo = Client(server)
    theo.come("u3", jti="theos-own")
    old = token("u3", jti="theos-own", iat=NOW - 900, exp=NOW - 600)
    assert theo.ask(f"/?token={old}").status == 200
    is_refusal(Client(server).ask(f"/?token={old}"))
    is_refusal(come(server, "u1").ask(f"/?token={old}"))


def test_a_new_link_makes_a_browser_somebody_elses(server: Server) -> None:
    browser = come(server, "u1")
    assert browser.come("u3").card["renders"] == str(THEOS_RENDERS)
    assert browser.ask("/").card["renders"] == str(THEOS_RENDERS)


def test_a_bad_link_shows_nothing_though_somebody_is_in(server: Server) -> None:
    is_refusal(come(server, "u1").ask(f"/?token={token('u3', aud='another')}"))


def not_good() -> dict[str, str]:
    now = int(time.time())
    return {
        "expired": token("u1", iat=now - 300, exp=now - 60),
        "for long": token("u1", exp=now + 7_000),
        "audience": token("u1", aud="another"),
        "key": token("u1", key="another-secret-of-at-least-32-bytes"),
        "kid": token("u1", kid="another"),
        "no kid": token("u1", kid=None),
        "no id": token("u1", jti=None),
        "role": token("u1", role="admin"),
        "team": token("u1", users=[]),
        "none": "eyJhbGciOiJub25lIiwia2lkIjoiMjAyNi0xMSJ9.eyJzdWIiOiJ1MSJ9.",
        "long": "x" * 9_000,
    }


@pytest.mark.parametrize("what", not_good())
def test_a_link_that_is_not_good_is_refused(server: Server, what: str) -> None:
    is_refusal(Client(server).ask(f"/?token={not_good()[what]}"))


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/?tab=credits",
        "/usage/kernel/a-ticket",
        "/usage/live/a-ticket",
        "/usage/0123456789abcdef0123/bundle.js",
        "/usage/here/00000000-0000-0000-0000-000000000000",
        "/voila/static/voila.js",
        "/api/kernels",
        "/api/kernels/00000000-0000-0000-0000-000000000000/channels",
        "/api/contents",
        "/voila/files/usage.ipynb",
        "/nowhere",
    ],
)
def test_without_an_identity_there_is_nothing(server: Server, path: str) -> None:
    is_refusal(Client(server).ask(path))
    # Words that anybody can say.
    said = {
        "X_Forwarded_User": "u1", "X_Forwarded_Email": "mara@example.com",
        "X_Usage_Proxy_Secret": KEY, "Remote_User": "u1",
        "Authorization": f"Bearer {token('u1')}",
    }  # fmt: skip
    is_refusal(Client(server).ask(path, **said))


def test_a_token_elsewhere_than_at_the_door_opens_nothing(server: Server) -> None:
    link = f"/usage/kernel/a?token={token('u1')}"
    is_refusal(Client(server).ask(link))


@pytest.mark.parametrize("name", ["usage-{port}", "username", "usage-token"])
def test_a_link_is_no_session(server: Server, name: str) -> None:
    port = server.host.partition(":")[2]
    is_refusal(Client(server, {name.format(port=port): token("u1")}).ask("/"))


def test_a_cookie_that_was_changed_is_nobodys(server: Server) -> None:
    theo = come(server, "u3")
    [name] = [name for name in theo.jar if name.startswith("usage-")]
    head, body, tail = theo.jar[name].split(".")
    for value in (f"{head}.{body[:-2]}AA.{tail}", f"{head}.{body}.", f"{head}.{body}.{tail}A", ""):
        is_refusal(Client(server, {name: value}).ask("/"))


def test_the_session_is_a_closed_cookie_and_no_token(server: Server) -> None:
    client = Client(server)
    link = token("u3")
    page = client.ask(f"/?token={link}")
    [session] = [line for line in page.cookies if line.startswith("usage-")]
    assert session.endswith("; Path=/; Max-Age=28800; HttpOnly; SameSite=Strict")
    assert link not in session
    assert link not in page.body
    [xsrf] = [line for line in page.cookies if line.startswith("_xsrf=")]
    assert xsrf.endswith("; SameSite=Strict")
    assert page.headers["Cache-Control"] == "no-store"
    assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]
    # It is not made anew with each page.
    assert client.ask("/").cookies == []


def test_somebody_who_is_not_in_the_database_is_told_so(server: Server) -> None:
    answer = Client(server).come("nobody@example.com")
    is_refusal(answer)
    assert "no usage of yours" in answer.body


def test_tokens_are_never_logged(server: Server) -> None:
    made = [token("u1"), token("u1", aud="another"), token("nobody")]
    for one in made:
        Client(server).ask(f"/?token={one}")
        Client(server).ask(f"/nowhere?token={one}")
    log = server.log.read_text()
    assert "the token is refused" in log
    assert not any(one[-30:] in log for one in made)


def test_other_names_and_other_sites_are_refused_with_a_good_session(server: Server) -> None:
    theo = come(server, "u3")
    is_refusal(theo.ask("/", Host="evil.example"))
    is_refusal(theo.ask("/", Origin="http://evil.example"))


def test_whether_it_lives_and_is_ready_is_told_to_anybody(server: Server) -> None:
    for path in ("/healthz", "/readyz"):
        answer = Client(server).ask(path, Host="10.0.0.1")
        assert (answer.status, answer.body) == (200, "ok\n")
    assert Client(server).ask("/healthz/").status == 403


def test_a_database_that_is_away_is_told_without_its_address(
    people_url: str, tmp_path: Path
) -> None:
    copy = tmp_path / "copy.db"
    copy.write_bytes(Path(people_url.removeprefix("sqlite:///")).read_bytes())
    with start_for_many(f"sqlite:///{copy}", tmp_path) as running:
        copy.rename(tmp_path / "away.db")
        ready = Client(running).ask("/readyz")
        link = f"/?token={token('u3')}"
        away = Client(running).ask(link)
        live = Client(running).ask("/healthz").status
        (tmp_path / "away.db").rename(copy)
        back = Client(running).ask(link)
    assert (ready.status, live) == (503, 200)
    assert "does not answer" in ready.body
    assert str(tmp_path) not in ready.body
    is_refusal(away, 503)
    # Nobody lost their link by it.
    assert back.status == 200


@pytest.fixture(scope="module")
def restarted(people_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Starts servers of one deployment, one after the other."""
    folder = tmp_path_factory.mktemp("restarted")
    port = str(free_port())
    with ExitStack() as running:

        def again(keys: str) -> Server:
            running.close()
            environment = {"ANALYTICS_TOKEN_KEYS": keys, "ANALYTICS_PORT": port}
            return running.enter_context(
                start_for_many(people_url, folder, environment=environment)
            )

        yield again


def test_a_restart_loses_no_visitor_and_no_memory_of_links_and_keys_rotate(restarted: Any) -> None:
    old, new = f"2026-11={KEY}", "new=another-secret-of-at-least-32-bytes"
    theo = Client(restarted(old))
    link = f"/?token={token('u3')}"
    assert theo.ask(link).status == 200
    second = restarted(f"{new} {old}")
    assert theo.ask("/").status == 200
    is_refusal(Client(second).ask(link))
    assert Client(second).come("u3").status == 200
    third = restarted(new)
    is_refusal(theo.ask("/"))
    is_refusal(Client(third).come("u3"))


def test_a_proxy_is_believed_when_it_shows_the_secret(people_url: str, tmp_path: Path) -> None:
    environment = {
        "ANALYTICS_TOKEN_KEYS": "",
        "ANALYTICS_PROXY_HEADER": "X-Forwarded-Email",
        "ANALYTICS_PROXY_SECRET": SECRET,
    }
    with start_for_many(people_url, tmp_path, environment=environment) as running:
        shown = {"X_Forwarded_Email": THEO, "X_Usage_Proxy_Secret": SECRET}
        theo = Client(running)
        page = theo.ask("/", **shown)
        assert page.card["renders"] == str(THEOS_RENDERS)
        # The next request says again who it is; what the browser keeps opens nothing.
        is_refusal(theo.ask("/"))
        is_refusal(Client(running).ask("/", X_Forwarded_Email=THEO))
        is_refusal(Client(running).ask("/", **{**shown, "X_Usage_Proxy_Secret": "guessed"}))
        is_refusal(
            Client(running).ask("/", **{**shown, "X_Forwarded_Email": f"{THEO},{studio.MARA}"})
        )
        is_refusal(Client(running).ask(f"/?token={token('u1')}"))


def test_over_the_unix_socket_the_proxy_needs_no_secret(people_url: str, tmp_path: Path) -> None:
    path = tmp_path / "usage.sock"
    environment = {
        "ANALYTICS_PROXY_HEADER": "X-Forwarded-Email",
        "ANALYTICS_SOCKET": str(path),
        "ANALYTICS_ORIGINS": "https://usage.example.com",
    }
    with start_for_many(people_url, tmp_path, environment=environment) as running:
        assert running.link == "https://usage.example.com/"
        assert path.stat().st_mode & 0o777 == 0o660
        connection = http.client.HTTPConnection("usage.example.com")
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.connect(str(path))
        connection.request("GET", "/", headers={"X-Forwarded-Email": THEO})
        answer = connection.getresponse()
        body = answer.read().decode()
    assert answer.status == 200
    assert f'data-value="{THEOS_RENDERS}"' in body
    assert "; Secure; SameSite=Strict" in str(answer.headers.get_all("Set-Cookie"))


def test_the_products_own_cookie_says_who_it_is_as_long_as_it_is_good(
    people_url: str, tmp_path: Path
) -> None:
    with start_for_many(
        people_url, tmp_path, environment={"ANALYTICS_TOKEN_COOKIE": "usage-token"}
    ) as running:
        good = token("u3", jti=None, exp=int(time.time()) + 3_000)
        theo = Client(running, {"usage-token": good})
        assert theo.ask("/").card["renders"] == str(THEOS_RENDERS)
        theo.jar["usage-token"] = token("u3", jti=None, iat=NOW - 900, exp=NOW - 600)
        is_refusal(theo.ask("/"))


def test_embedded_its_cookies_are_of_the_site_that_embeds(people_url: str, tmp_path: Path) -> None:
    port = free_port()
    environment = {
        "ANALYTICS_PORT": str(port),
        "ANALYTICS_ORIGINS": "https://usage.example.com",
        "ANALYTICS_FRAME_ANCESTORS": "https://app.example.org https://www.example.org",
    }
    with start_for_many(people_url, tmp_path, environment=environment) as running:
        running.link = f"http://127.0.0.1:{port}/"
        link = f"/?token={token('u3')}"
        page = Client(running).ask(link, Host="usage.example.com")
        here = Client(running).ask(f"/?token={token('u3')}")
    assert len(page.cookies) == 2
    session, xsrf = sorted(page.cookies)
    assert session.startswith("__Host-usage=")
    assert session.endswith("; Path=/; Max-Age=28800; HttpOnly; Secure; SameSite=None; Partitioned")
    assert xsrf.endswith("; Secure; SameSite=None; Partitioned")
    policy = page.headers["Content-Security-Policy"]
    assert "frame-ancestors https://app.example.org https://www.example.org;" in policy
    assert "wss://usage.example.com" in policy
    is_refusal(here)


def test_a_server_that_was_granted_one_user_shows_nobody_else(
    people_url: str, tmp_path: Path
) -> None:
    environment = {"ANALYTICS_GRANT": '{"users": ["u3"]}'}
    with start_for_many(people_url, tmp_path, environment=environment) as running:
        assert come(running, "u3").ask("/").card["renders"] == str(THEOS_RENDERS)
        is_refusal(Client(running).come("u1"))
        for said in ({"role": "operator"}, {"users": ["u1", "u3"]}):
            page = Client(running).come("somebody", **said)
            assert page.card == {}
            assert "Studio" not in page.body


@pytest.mark.parametrize(
    ("environment", "word"),
    [
        ({}, "ANALYTICS_TOKEN_KEYS: needed"),
        ({"ANALYTICS_TOKEN_KEYS": "a=short"}, "fewer than 32"),
        ({"ANALYTICS_PROXY_HEADER": "X-User"}, "ANALYTICS_PROXY_SECRET: needed"),
        ({"ANALYTICS_TOKEN_KEYS_FILE": "nowhere"}, "cannot be read"),
        ({"ANALYTICS_ORIGINS": "usage.example.com"}, "ANALYTICS_ORIGINS"),
        ({"ANALYTICS_FRAME_ANCESTORS": "https://a.example;"}, "ANALYTICS_FRAME_ANCESTORS"),
    ],
)
def test_what_is_missing_is_one_line_before_anything_is_served(
    people_url: str, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], word: str
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    done = analytics("serve", url=people_url)
    assert (done.returncode, done.stdout) == (2, "")
    assert word in done.stderr
    assert done.stderr.count("\n") == 1
