"""Behind a real JupyterHub, everybody who logs in sees their own dashboard and nobody else's."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.dashboard import LIVE
from tests.support import visitors
from tests.support.guarded import guarded
from tests.support.serving import free_port

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
CONFIG = """
load_subconfig({config!r})
c.JupyterHub.bind_url = "http://127.0.0.1:{port}"
c.JupyterHub.hub_port = {hub_port}
c.JupyterHub.authenticator_class = "dummy"
c.DummyAuthenticator.password = "let me in, please"
c.Authenticator.allow_all = True
c.JupyterHub.spawner_class = "simple"
c.SimpleLocalProcessSpawner.home_dir_template = {home!r} + "/{{username}}"
c.JupyterHub.proxy_class = "tests.support.splicing.SplicingProxy"
"""


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest) -> dict[str, str]:
    """The settings of a database with people, where grants are words or are signed and checked."""
    if request.param == "sqlite":
        return {"ANALYTICS_DATABASE_URL": request.getfixturevalue("people_url")}
    made = guarded(request.getfixturevalue("postgres_server"))
    visitors.fill(made.url)
    return {"ANALYTICS_DATABASE_URL": made.owner, "ANALYTICS_READER_URL": made.reader}


@pytest.fixture(scope="module")
def hub(database: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("hub")
    port, hub_port = free_port(), free_port()
    config = folder / "config.py"
    config.write_text(
        CONFIG.format(
            config=str(ROOT / "deploy" / "jupyterhub_config.py"),
            port=port,
            hub_port=hub_port,
            home=str(folder),
        )
    )
    address = f"http://127.0.0.1:{port}"
    environment = {
        **os.environ,
        "PATH": f"{BIN}:{os.environ['PATH']}",
        **database,
        "ANALYTICS_ORIGINS": address,
        "PYTHONPATH": str(ROOT),
    }
    log = folder / "log"
    with log.open("w") as out:
        process = subprocess.Popen(
            [BIN / "jupyterhub", "-f", config],
            cwd=folder, env=environment, stdout=out, stderr=out, start_new_session=True,
        )  # fmt: skip
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                urllib.request.urlopen(f"{address}/hub/health", timeout=5)
                break
            except OSError:
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.2)
        yield address
    finally:
        process.send_signal(signal.SIGTERM)
        # It gives each user's server half a minute.
        process.wait(90)


def log_in(browser: Browser, hub: str, name: str) -> Page:
    page = browser.new_context().new_page()
    page.goto(f"{hub}/hub/login")
    page.fill("#username_input", name)
    page.fill("#password_input", "let me in, please")
    page.click("#login_submit")
    # Live: the kernel has taken over.
    expect(page.locator("#rendered_cells:not(.is-coming)")).to_be_visible(timeout=90_000)
    return page


def test_two_users_of_a_hub_see_their_own_numbers(
    browser: Browser, hub: str, pictures: Path
) -> None:
    theo, mara = (log_in(browser, hub, name) for name in ("u3", "u1"))
    assert "Theo Other" in theo.inner_text("main")
    assert theo.locator(LIVE).get_attribute("data-value") == str(visitors.THEOS_RENDERS)
    assert "Theo Other" not in mara.inner_text("body")
    theo.get_by_role("tab", name="Renders").click()
    expect(theo.locator(".tabpanel.is-selected .panel").first).to_be_visible()
    theo.screenshot(path=pictures / "jupyterhub.png")
    # Somebody else's server is not theirs, however well its address is known.
    answer = mara.goto(theo.url)
    assert answer is not None
    assert answer.status in (403, 404)
    assert "Theo Other" not in mara.content()
    theo.context.close()
    mara.context.close()
