"""A report is made for one user, within that user's scope, and both of its files are whole."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import nbformat
import papermill
import pytest

from analytics_core import Scope, Settings, Workspace
from analytics_core.cli import run
from analytics_core.errors import (
    OutputError,
    ParameterError,
    RangeError,
    ReportFailed,
    TemplateError,
    UnknownUser,
    UnknownZone,
)
from analytics_core.reports.report import Report, make_report
from analytics_core.reports.template import Template
from tests.integration.conftest import MakeDatabase
from tests.support import rows
from tests.support.notebooks import template
from tests.support.postgres import PostgresServer

MARA = "mara@example.com"
HOSTILE_NAME = "<script>alert('x')</script>"
HOSTILE_EMAIL = "../../etc/{passwd} '; DROP TABLE users"
USAGE = Template.find("usage", Settings.read())
OCTOBER, SEPTEMBER = datetime(2026, 10, 15, 12, tzinfo=UTC), datetime(2026, 9, 15, 12, tzinfo=UTC)
PASSWORD = "tr0ub4dor"


@pytest.fixture(scope="module")
def workspace(make_database: MakeDatabase) -> Iterator[Workspace]:
    """Mara, with 5 renders in October and 4 in September, and three others."""
    url = make_database("sqlite")
    rows.insert(
        url,
        [
            rows.user("mara", name=HOSTILE_NAME, zone="Europe/Madrid"),
            rows.user("nils"),
            rows.user("evil", email=HOSTILE_EMAIL),
            rows.user("evil-too", email=HOSTILE_EMAIL.replace("'", '"')),
            *(rows.render("mara", OCTOBER, source_platform="<b>cad</b>") for _ in range(5)),
            *(rows.render("mara", SEPTEMBER) for _ in range(4)),
            *(rows.render("nils", OCTOBER) for _ in range(7)),
        ],
    )
    with Workspace.open(Settings.read(database_url=url), Scope.everyone()) as opened:
        yield opened


def made(workspace: Workspace, chosen: Template, user: str = MARA, **options: object) -> Report:
    arguments = {"user": user, "period": "2026-10", "folder": Path("reports"), **options}
    return make_report(workspace, chosen, **arguments)  # type: ignore[arg-type]


def text_shown(report: Report) -> str:
    """The words of a report, without its markup."""
    page = re.sub(r"<(style|title)\b.*?</\1>", "", report.document.read_text(), flags=re.DOTALL)
    return re.sub(r"<[^>]+>", " ", page)


@pytest.fixture(scope="module")
def october(workspace: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Report:
    """Mara's usage report of October."""
    return made(workspace, USAGE, folder=tmp_path_factory.mktemp("october"))


def test_a_report_is_a_notebook_and_an_html_file(october: Report) -> None:
    assert october.notebook.name == "usage-mara@example.com-2026-10.ipynb"
    assert october.document.name == "usage-mara@example.com-2026-10.html"
    assert sorted(october.document.parent.iterdir()) == [october.document, october.notebook]


def test_its_cards_hold_the_numbers_of_the_workspace(workspace: Workspace, october: Report) -> None:
    page = workspace.page(MARA, "2026-10", compare=True)
    cards = [*page.cards, *(card for tab in page.tabs for card in tab.cards)]
    found = re.findall(r'data-key="([\w-]+)" data-value="(.*?)"', october.document.read_text())
    assert found == [(c.key, "" if c.exact is None else str(c.exact)) for c in cards]
    assert ("renders", "5") in found


def test_it_has_every_chart_and_the_table_behind_it(workspace: Workspace, october: Report) -> None:
    page = workspace.page(MARA, "2026-10", compare=True)
    drawn = [c for tab in page.tabs for c in tab.charts if not c.empty]
    html = october.document.read_text()
    assert drawn
    assert html.count('<details class="behind">') == len(drawn)
    for chart in drawn:
        assert f'id="{chart.key}-' in html


def test_it_says_which_dates_and_shows_the_period_before(october: Report) -> None:
    shown = text_shown(october)
    assert "Oct 1 – Oct 31, 2026 · Europe/Madrid" in shown
    assert "against Sep 1 – Sep 30, 2026" in shown
    assert "4 before" in shown


def test_hostile_names_are_escaped(october: Report) -> None:
    html = october.document.read_text()
    assert "<script" not in html
    assert "<b>cad" not in html
    assert "&lt;script&gt;" in html


def test_it_asks_nothing_of_any_host(october: Report) -> None:
    html = october.document.read_text().replace('xmlns="http://www.w3.org/2000/svg"', "")
    assert not re.search(r"""https?://|<script|<link|@import|url\(|src="(?!data:)""", html)


def test_the_executed_notebook_can_be_read_and_says_what_it_was_given(october: Report) -> None:
    notebook = nbformat.read(october.notebook, as_version=4)
    assert notebook.metadata.papermill.parameters == {
        "user": "mara", "period": "2026-10", "zone": "Europe/Madrid",
    }  # fmt: skip


def test_an_explicit_zone_wins(workspace: Workspace) -> None:
    report = made(workspace, template("print(zone)", parameters=ZONED), zone="Asia/Kolkata")
    assert "Asia/Kolkata" in text_shown(report)


ZONED = 'user: str = ""\nperiod: str = ""\nzone: str = ""'


def test_a_report_sees_its_user_alone(workspace: Workspace) -> None:
    asks_for_all = template(
        "from analytics_core import Workspace\n"
        "print('found', Workspace.current().get_render_stats(None, period).total)"
    )
    assert "found 5" in text_shown(made(workspace, asks_for_all))


@pytest.mark.parametrize("whom", ["'nils@example.com'", "'nils'", "Scope.everyone()"])
def test_a_template_that_asks_for_others_fails(workspace: Workspace, whom: str) -> None:
    asks_for_others = template(
        "from analytics_core import Scope, Workspace\n"
        f"Workspace.current().get_render_stats({whom}, period)"
    )
    with pytest.raises(ReportFailed, match=r"UnknownUser|ScopeError"):
        made(workspace, asks_for_others)


def test_without_a_grant_a_template_fails_closed(workspace: Workspace) -> None:
    environment = workspace.settings.to_environment()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        with pytest.raises(papermill.PapermillExecutionError, match="no scope was granted"):
            papermill.execute_notebook(
                str(USAGE.path), "by-hand.ipynb", {"user": "mara"}, progress_bar=False
            )


def test_a_workspace_gives_no_report_of_a_user_outside_its_scope(workspace: Workspace) -> None:
    with (
        Workspace.open(workspace.settings, Scope.user("mara")) as maras,
        pytest.raises(UnknownUser),
    ):
        made(maras, USAGE, user="nils")


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"user": "nobody@example.com"}, UnknownUser),
        ({"user": "' OR 1=1 --"}, UnknownUser),
        ({"period": "2026-13"}, RangeError),
        ({"period": "2026-10-02..2026-10-01"}, RangeError),
        ({"zone": "Mars/Olympus"}, UnknownZone),
        ({"parameters": {"colour": "red"}}, ParameterError),
        ({"parameters": {"compare": "maybe"}}, ParameterError),
        ({"parameters": {"user": "nils"}}, ParameterError),
        ({"parameters": {"period": "2026-09"}}, ParameterError),
        ({"parameters": {"zone": "UTC"}}, ParameterError),
    ],
)
def test_what_cannot_be_is_refused_before_anything_runs(
    workspace: Workspace, changes: dict[str, str], error: type[Exception]
) -> None:
    with pytest.raises(error):
        made(workspace, USAGE, **changes)
    assert not Path("reports").exists()


def test_a_template_without_parameters_is_refused_before_anything_runs(
    workspace: Workspace,
) -> None:
    with pytest.raises(TemplateError):
        made(workspace, template("1", parameters="days: int = 1"))
    assert not Path("reports").exists()


def test_a_folder_that_cannot_be_made_is_one_line(workspace: Workspace) -> None:
    Path("reports").touch()
    with pytest.raises(OutputError, match="cannot write reports"):
        made(workspace, USAGE)


def test_a_failing_cell_leaves_the_notebook_and_no_html(workspace: Workspace) -> None:
    with pytest.raises(ReportFailed, match=r"cell 3 \(Credits\) failed with ValueError: no"):
        made(workspace, template("## Credits", "raise ValueError('no')"))
    assert [p.name for p in Path("reports").iterdir()] == [
        "sample-mara@example.com-2026-10.failed.ipynb"
    ]


def test_a_failing_run_keeps_the_report_that_was_there(workspace: Workspace) -> None:
    report = made(workspace, template("print('worked')"))
    before = report.document.read_bytes(), report.notebook.read_bytes()
    with pytest.raises(ReportFailed):
        made(workspace, template("1 / 0"))
    assert (report.document.read_bytes(), report.notebook.read_bytes()) == before


def test_a_run_that_works_removes_what_an_earlier_one_kept(workspace: Workspace) -> None:
    with pytest.raises(ReportFailed):
        made(workspace, template("1 / 0"))
    report = made(workspace, template("1"))
    assert sorted(Path("reports").iterdir()) == [report.document, report.notebook]


def test_hostile_users_have_files_of_their_own_inside_the_folder(workspace: Workspace) -> None:
    names = [made(workspace, template("1"), user=u).document for u in ("evil", "evil-too")]
    assert len(set(names)) == 2
    for name in names:
        assert name.resolve().parent == Path("reports").resolve()
        assert re.fullmatch(r"sample-[a-z0-9@._-]+-2026-10\.html", name.name)


def test_a_period_by_name_becomes_the_dates_it_means(workspace: Workspace) -> None:
    report = made(workspace, template("print(period)"), period="7d")
    [dates] = re.findall(r"sample-mara@example.com-([\d.-]+)\.html", report.document.name)
    assert re.fullmatch(r"\d{4}-\d\d-\d\d\.\.\d{4}-\d\d-\d\d", dates)
    assert dates in text_shown(report)


def test_a_password_stays_out_of_both_files(
    postgres_url: str, postgres_server: PostgresServer
) -> None:
    url = postgres_url.replace("postgres@", f"postgres:{PASSWORD}@")
    rows_of_mara = [rows.user("mara"), rows.render("mara", OCTOBER)]
    _upgrade(url)
    role = postgres_server.create_role("LOGIN IN ROLE analytics_reader")
    reader = postgres_server.as_role(postgres_url, f"{role}:{PASSWORD}")
    settings = Settings.read(database_url=url, reader_url=reader)
    rows.insert(url, rows_of_mara)
    with Workspace.open(settings, Scope.everyone()) as workspace:
        report = made(workspace, USAGE)
        with pytest.raises(ReportFailed) as failed:
            made(workspace, template(BREAK_THE_DATABASE))
    for path in (report.notebook, report.document, failed.value.kept):
        assert PASSWORD not in path.read_text()
    assert PASSWORD not in str(failed.value)


BREAK_THE_DATABASE = """
import os
os.environ["ANALYTICS_DATABASE_URL"] = os.environ["ANALYTICS_DATABASE_URL"].replace("/test", "/no")
from analytics_core import Workspace
Workspace.current().page(user, period)
"""


def _upgrade(url: str) -> None:
    from analytics_core.dal import schema
    from analytics_core.dal.database import Database

    database = Database(url, create=True)
    schema.upgrade(database)
    database.close()


def test_the_command_prints_where_the_document_is(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    for name, value in workspace.settings.to_environment().items():
        monkeypatch.setenv(name, value)
    nbformat.write(template("print(note)", parameters=NOTED).notebook, "mine.ipynb")
    code = run(
        ["report", "--user", MARA, "--period", "2026-10", "--output", "reports",
         "--template", "mine.ipynb", "-p", "note=a=b"]
    )  # fmt: skip
    out, err = capfd.readouterr()
    assert (code, err) == (0, "")
    document = Path(out.strip())
    assert document == Path("reports/mine-mara@example.com-2026-10.html")
    assert "a=b" in document.read_text()


NOTED = 'user: str = ""\nperiod: str = ""\nnote: str | None = None'


def test_the_command_says_in_one_line_which_cell_failed(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    for name, value in workspace.settings.to_environment().items():
        monkeypatch.setenv(name, value)
    nbformat.write(template("raise ValueError('first\\nsecond')").notebook, "mine.ipynb")
    arguments = ["--user", MARA, "--period", "2026-10", "--output", "reports"]
    code = run(["report", *arguments, "--template", "mine.ipynb"])
    out, err = capfd.readouterr()
    assert (code, out) == (2, "")
    assert len(err.splitlines()) == 1
    assert "mine.ipynb: cell 2 failed with ValueError: first second (kept as reports/" in err
