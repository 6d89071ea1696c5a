"""A template runs in a kernel of its own; one that fails says where and is kept."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path
from typing import Any

import nbformat
import pytest
from jupyter_client.asynchronous.client import AsyncKernelClient

from analytics_core.errors import ReportFailed
from analytics_core.reports.execute import execute
from tests.support.notebooks import template

VALUES = {"user": "mara", "period": "2026-10"}


def printed(notebook: Any) -> list[str]:
    """What the cells of a notebook printed, in order."""
    return [
        output.text.strip()
        for cell in notebook.cells
        for output in cell.get("outputs", ())
        if output.get("name") == "stdout"
    ]


def run(*cells: str, environment: dict[str, str] | None = None, **options: Any) -> Any:
    return execute(
        template(*cells), VALUES, environment or {}, kept=Path("failed.ipynb"), **options
    )


def test_the_cells_see_the_parameters() -> None:
    assert printed(run("print(user, period)")) == ["mara 2026-10"]


def test_a_hostile_value_stays_a_value() -> None:
    hostile = '"; import os; print("executed")\n{braces} \\ \'\u2028'
    notebook = execute(
        template("print(ascii(user))"), {"user": hostile}, {}, kept=Path("failed.ipynb")
    )
    assert printed(notebook) == [ascii(hostile)]


def test_the_kernel_runs_this_interpreter() -> None:
    assert printed(run("import sys; print(sys.executable)")) == [sys.executable]


def test_a_foreign_kernelspec_of_the_same_name_is_ignored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "kernels" / "python3"
    folder.mkdir(parents=True)
    (folder / "kernel.json").write_text('{"argv": ["false"], "display_name": "x"}')
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    assert printed(run("print('ran')")) == ["ran"]


@pytest.mark.parametrize("name", ["new", "of-a-name-longer-than-the-path-of-a-socket-may-be" * 3])
def test_no_jupyter_program_need_have_run_before(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / name))
    assert printed(run("print('ran')")) == ["ran"]


def test_a_kernel_is_talked_to_as_soon_as_it_can_hear(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(
        AsyncKernelClient, "wait_for_ready", lambda *_, **__: asked.append("nbclient's")
    )
    assert printed(run("print('ran')")) == ["ran"]
    assert asked == []


def test_the_environment_is_the_kernels_alone() -> None:
    show = "import os; print(os.environ['ANALYTICS_GRANT'])"
    assert printed(run(show, environment={"ANALYTICS_GRANT": "one"})) == ["one"]
    assert "ANALYTICS_GRANT" not in os.environ


def test_reports_in_threads_keep_their_environments_apart() -> None:
    found: dict[str, list[str]] = {}

    def report(grant: str) -> None:
        show = "import os; print(os.environ['ANALYTICS_GRANT'])"
        found[grant] = printed(run(show, environment={"ANALYTICS_GRANT": grant}))

    threads = [threading.Thread(target=report, args=(grant,)) for grant in ("one", "two")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {"one": ["one"], "two": ["two"]}


def test_the_working_directory_is_this_processs() -> None:
    assert printed(run("import os; print(os.getcwd())")) == [os.getcwd()]


def test_temporary_names_stay_out_of_the_notebook() -> None:
    metadata = run("1").metadata.papermill
    assert (metadata.input_path, metadata.output_path) == ("sample.ipynb", None)


def test_a_failing_cell_is_named_by_its_place_in_the_template_and_its_heading() -> None:
    with pytest.raises(ReportFailed) as failed:
        run("# Usage", "1", "## Credits", "raise ValueError('no such month')", "2")
    assert (failed.value.cell, failed.value.heading) == (5, "Credits")
    assert str(failed.value) == (
        "sample.ipynb: cell 5 (Credits) failed with ValueError: no such month "
        "(kept as failed.ipynb)"
    )


def test_a_failing_parameters_cell_is_named_too() -> None:
    broken = template("1", parameters='user: str = ""\nperiod: str = missing')
    with pytest.raises(ReportFailed, match="cell 1 failed with NameError"):
        execute(broken, {}, {}, kept=Path("failed.ipynb"))


def test_the_failed_notebook_is_kept_as_far_as_it_got() -> None:
    with pytest.raises(ReportFailed) as failed:
        run("print('before')", "raise ValueError('no')", "print('after')")
    kept = nbformat.read(failed.value.kept, as_version=4)
    assert printed(kept) == ["before"]
    [error] = [o for c in kept.cells for o in c.get("outputs", ()) if o.output_type == "error"]
    assert error.evalue == "no"


def test_a_kernel_that_dies_is_a_failed_cell() -> None:
    with pytest.raises(ReportFailed, match="cell 3 failed with the death of its kernel"):
        run("1", "import os; os._exit(1)", "2")
    assert Path("failed.ipynb").exists()


def test_a_kernel_that_does_not_start_is_a_failed_report(tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "ipykernel_launcher.py").write_text("raise SystemExit('no room for a kernel')")
    with pytest.raises(ReportFailed, match=r"kernel that did not start: .*no room for a kernel"):
        run("1", environment={"PYTHONPATH": str(broken)})
    assert Path("failed.ipynb").exists()


def test_what_a_kernels_process_says_is_not_said_by_the_command(
    capfd: pytest.CaptureFixture[str],
) -> None:
    run("import os; os.write(2, b'loud')")
    assert "loud" not in capfd.readouterr().err


def test_a_kernel_that_does_not_answer_is_a_failed_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("analytics_core.reports.execute._START_TIMEOUT", 1)
    silent = tmp_path / "silent"
    silent.mkdir()
    (silent / "ipykernel_launcher.py").write_text("import time; time.sleep(60)")
    with pytest.raises(ReportFailed, match="failed with a kernel that did not start"):
        run("1", environment={"PYTHONPATH": str(silent)})


def test_a_cell_that_hangs_is_a_failed_cell() -> None:
    with pytest.raises(ReportFailed, match="cell 2 failed with no answer within 1 seconds"):
        run("import time; time.sleep(60)", timeout=1)


def test_nothing_is_kept_of_a_run_that_worked() -> None:
    run("1")
    assert list(Path().iterdir()) == []
