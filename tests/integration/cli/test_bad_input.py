"""Bad input gets one clear line and exit code 2, and nothing is lost or made by it."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest

from analytics_core.dal.schema import WORKSPACE
from tests.support import rows
from tests.support.command import analytics, refusal, stats
from tests.support.host import create_host_tables
from tests.support.postgres import PostgresServer
from tests.support.rows import execute, insert, table_names

PROFILES = Path(__file__).parents[3] / "analytics_core" / "dal" / "profiles"


@pytest.fixture(scope="module")
def url(make_database) -> str:
    """A workspace on SQLite with one user, Mara, who made one render."""
    url = make_database("sqlite")
    insert(
        url,
        [rows.user("mara"), rows.render("mara", datetime(2026, 10, 5, 12, tzinfo=UTC))],
    )
    return url


@pytest.fixture(scope="module")
def host_url(postgres_server: PostgresServer) -> str:
    """A renderiq host with one user, Mara."""
    url = postgres_server.create_database()
    create_host_tables(url)
    execute(
        url,
        "INSERT INTO users (id, email, created_at, updated_at)"
        " VALUES (gen_random_uuid(), 'mara@example.com', now(), now())",
    )
    return url


def file_of(url: str) -> Path:
    return Path(url.removeprefix("sqlite:///"))


@pytest.fixture(autouse=True)
def _nothing_is_lost_or_made(url: str, tmp_path: Path) -> Iterator[None]:
    before = file_of(url).read_bytes()
    yield
    assert file_of(url).read_bytes() == before
    assert not list(tmp_path.rglob("analytics.db*"))


# --- what is asked for ---


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--user nobody@example.com", "unknown user: 'nobody@example.com'"),
        ("--user mara@example.com --user nobody", "unknown user: 'nobody'"),
        ("--user mara'--", "unknown user: \"mara'--\""),
        ("--user 1'OR'1'='1", "unknown user: \"1'OR'1'='1\""),
        ("--user mara';DROP/**/TABLE/**/users;--", "unknown user: \"mara';DROP"),
        ("--user mara --from 2026-10-31 --to 2026-10-01", "ends (2026-10-01) before it starts"),
        ("--user mara --from 2026-10-01", "--from and --to go together"),
        ("--user mara --to 2026-10-01", "--from and --to go together"),
        ("--user mara --from 2026-02-30 --to 2026-03-01", "not a date: '2026-02-30'"),
        ("--user mara --from 1.10.2026 --to 2.10.2026", "not a date: '1.10.2026'"),
        ("--user mara --from 0001-01-01 --to 0002-01-01", "outside the calendar"),
        ("--user mara --from 1000-01-01 --to 9999-12-01", "at most 100 years"),
        ("--user mara --tz Mars/Olympus", "unknown time zone: 'Mars/Olympus'"),
        ("--user mara --tz ../../etc/passwd", "unknown time zone"),
        ("", "say whose data"),
        ("--user mara --everyone", "say whose data"),
        ("--user mara --format yaml", "'yaml' is not one of"),
        ("--user mara --since 2026-10-01", "No such option"),
    ],
)  # fmt: skip
def test_a_question_that_cannot_be_answered_is_refused(
    url: str, arguments: str, message: str
) -> None:
    done = analytics("stats", "--format", "json", *arguments.split(), database_url=url)
    assert message in refusal(done)


@pytest.mark.parametrize("user", ["", " ", "mara\nnoor", "\u202e", "x" * 5000, "\udcff"])
def test_an_odd_name_of_a_user_is_told_on_one_line(url: str, user: str) -> None:
    assert refusal(stats(user=user, database_url=url)).startswith("unknown user: ")


@pytest.mark.parametrize("user", ["nobody", "' OR 1=1 --", "11111111-1111-4111-8111-111111111111"])
def test_an_unknown_user_of_a_host_is_told(host_url: str, user: str) -> None:
    done = stats(user=user, database_url=host_url, profile="renderiq")
    assert "unknown user" in refusal(done)


# --- profiles ---


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"credits_cost"', '"price"', "the database has no column renders.price, which [renders]"),
        ('table = "file_storage"', 'table = "attic"', "the database has no table attic"),
        ("size =", "weight =", "[files] has no field weight"),
        ('media_type = "mime_type"', "", "[files] needs the field media_type"),
        ("[users]", "[users", "profile.toml: "),
    ],
)
def test_a_profile_that_does_not_fit_is_told(
    host_url: str, tmp_path: Path, old: str, new: str, message: str
) -> None:
    shipped = (PROFILES / "renderiq.toml").read_text()
    assert old in shipped
    profile = tmp_path / "profile.toml"
    profile.write_text(shipped.replace(old, new))
    before = table_names(host_url)
    assert message in refusal(stats(database_url=host_url, profile=str(profile)))
    assert table_names(host_url) == before


def test_a_profile_that_is_not_there_is_told_with_those_that_ship(host_url: str) -> None:
    for profile in ("nowhere", "./nowhere.toml"):
        line = refusal(stats(database_url=host_url, profile=profile))
        assert "nowhere" in line
        assert "what ships is: renderiq" in line


def test_a_profile_that_is_no_text_is_told(host_url: str, tmp_path: Path) -> None:
    profile = tmp_path / "profile.toml"
    profile.write_bytes(b"\xff\xfe\x00users")
    assert "profile.toml" in refusal(stats(database_url=host_url, profile=str(profile)))
    assert "s a directory" in refusal(stats(database_url=host_url, profile=f"{tmp_path}/"))


def test_a_profile_is_for_postgresql(url: str) -> None:
    line = refusal(stats(database_url=url, profile="renderiq"))
    assert "read on PostgreSQL only" in line


# --- databases ---


def test_a_database_that_is_not_there_is_not_made_by_asking(tmp_path: Path) -> None:
    for command in ("stats", "export"):
        more = ["--output", "x.csv"] if command == "export" else []
        done = analytics(
            command, "--user", "mara", *more, database_url=f"sqlite:///{tmp_path}/none.db"
        )
        assert "there is no such file (`analytics init` makes" in refusal(done)
    assert not [path for path in tmp_path.iterdir() if path.suffix != ".toml"]


def test_an_empty_file_is_told_how_to_become_a_database(tmp_path: Path) -> None:
    empty = tmp_path / "empty.db"
    empty.touch()
    assert "run `analytics init`" in refusal(stats(database_url=f"sqlite:///{empty}"))
    assert empty.stat().st_size == 0


@pytest.mark.parametrize("content", [b"not a database, but long enough to be one" * 50, b"short"])
def test_a_file_that_is_no_database_is_left_as_it_is(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "letter.db"
    file.write_bytes(content)
    for command in (("stats", "--user", "mara"), ("init",)):
        line = refusal(analytics(*command, database_url=f"sqlite:///{file}"))
        assert "not a database" in line
        assert file.read_bytes() == content


def test_a_folder_is_no_database(tmp_path: Path) -> None:
    assert "unable to open" in refusal(stats(database_url=f"sqlite:///{tmp_path}"))


def test_a_database_of_somebody_else_is_neither_read_nor_changed(postgres_url: str) -> None:
    create_host_tables(postgres_url)
    before = table_names(postgres_url)
    assert "ANALYTICS_PROFILE" in refusal(stats(database_url=postgres_url))
    assert '"users" already exists' in refusal(analytics("init", database_url=postgres_url))
    assert table_names(postgres_url) == before


def test_a_newer_database_is_neither_read_nor_changed(workspace_url: str) -> None:
    version = f"{WORKSPACE.version_table} SET version_num"
    execute(workspace_url, f"UPDATE {version} = '9999'")
    for command in (("stats", "--user", "mara"), ("init",)):
        line = refusal(analytics(*command, database_url=workspace_url))
        assert "is newer than this code (at 9999): install a newer version" in line
    execute(workspace_url, f"UPDATE {version} = '{WORKSPACE.head}'")
    assert "unknown user" in refusal(stats(database_url=workspace_url))


@pytest.mark.parametrize(
    "address", ["hush", "mysql://mara:hush@db/x", "postgresql://mara:hu@sh/hush@db/x", "sqlite://"]
)
def test_an_address_that_is_none_is_told_without_repeating_it(address: str) -> None:
    line = refusal(stats(database_url=address))
    assert "database URL" in line
    assert "hush" not in line


def test_nobody_at_the_address_is_told_without_the_password() -> None:
    line = refusal(stats(database_url="postgresql://mara:hush@127.0.0.1:1/product"))
    assert "127.0.0.1:1/product is not available" in line
    assert "refused" in line
    assert "hush" not in line


def test_a_wrong_password_is_told_without_repeating_it(postgres_server: PostgresServer) -> None:
    url = postgres_server.create_database()
    role = postgres_server.create_role("LOGIN PASSWORD 'right'")
    access = postgres_server.sockets / "pg_hba.conf"
    access.write_text(f"local all {role} scram-sha-256\n{access.read_text()}")
    execute(url, "SELECT pg_reload_conf()")
    plain = url.replace("postgres@", f"{role}:right@").replace("+psycopg", "")
    # The server reads its files again in its own time.
    for _ in range(100):
        try:
            psycopg.connect(plain.replace("right", "wrong")).close()
        except psycopg.OperationalError:
            break
    for hush in (("--debug",), ()):
        done = stats(*hush, database_url=url.replace("postgres@", f"{role}:hush-hush@"))
        assert "password authentication failed" in done.stderr
        assert "hush-hush" not in done.stderr
    assert "no tables" in refusal(stats(database_url=plain))


# --- files that may not be written, and disks that are full ---


@pytest.fixture
def locked(url: str, tmp_path: Path) -> Iterator[str]:
    """A copy of the workspace, where neither file nor folder may be written."""
    folder = tmp_path / "locked"
    folder.mkdir()
    file = folder / "kept.db"
    file.write_bytes(file_of(url).read_bytes())
    file.chmod(stat.S_IRUSR)
    folder.chmod(stat.S_IRUSR | stat.S_IXUSR)
    yield f"sqlite:///{file}"
    folder.chmod(stat.S_IRWXU)


def test_a_database_that_may_only_be_read_is_read(locked: str) -> None:
    done = stats(database_url=locked, bound_by_permissions=True)
    assert done.returncode == 0
    [line] = done.stderr.splitlines()
    assert line.startswith("not in the audit log: ")
    assert [path.name for path in file_of(locked).parent.iterdir()] == ["kept.db"]


def test_a_file_that_may_be_written_in_a_folder_that_may_not_is_read(locked: str) -> None:
    file_of(locked).chmod(stat.S_IRUSR | stat.S_IWUSR)
    done = stats(database_url=locked, bound_by_permissions=True)
    assert done.returncode == 0
    [line] = done.stderr.splitlines()
    assert line.startswith("not in the audit log: ")


def test_nothing_is_set_up_where_nothing_may_be_written(locked: str) -> None:
    content = file_of(locked).read_bytes()
    line = refusal(analytics("init", database_url=locked, bound_by_permissions=True))
    assert "kept.db is not available" in line
    new = locked.replace("kept.db", "new.db")
    assert "unable to open" in refusal(
        analytics("init", database_url=new, bound_by_permissions=True)
    )
    assert os.listdir(file_of(locked).parent) == ["kept.db"]
    assert file_of(locked).read_bytes() == content


def test_a_file_that_may_not_be_read_is_told(locked: str) -> None:
    file_of(locked).chmod(0)
    assert "unable to open" in refusal(stats(database_url=locked, bound_by_permissions=True))


def test_a_full_disk_is_told_and_setting_up_can_be_done_again(tmp_path: Path) -> None:
    new = f"sqlite:///{tmp_path}/new.db"
    line = refusal(analytics("init", database_url=new, largest_file=40_000))
    assert "new.db is not available" in line
    assert "run `analytics init`" in refusal(stats(database_url=new))
    assert analytics("init", database_url=new).returncode == 0
    assert "unknown user" in refusal(stats(database_url=new))


def test_a_full_disk_loses_nothing_that_was_there(url: str, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    copy.write_bytes(file_of(url).read_bytes())
    before = stats(database_url=f"sqlite:///{copy}").stdout
    done = analytics(
        *("demo-data", "--users", "3", "--renders", "20000", "--replace"),
        database_url=f"sqlite:///{copy}",
        largest_file=copy.stat().st_size + 100_000,
    )
    assert "copy.db is not available" in refusal(done)
    assert stats(database_url=f"sqlite:///{copy}").stdout == before
