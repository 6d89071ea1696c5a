"""One report: a template run for a user and a period, as a notebook and as one HTML file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

from analytics_core.errors import ParameterError
from analytics_core.model.audited import Action
from analytics_core.model.daterange import DateRange, Preset
from analytics_core.model.scope import Scope
from analytics_core.output import make_folder, write_file
from analytics_core.reports.execute import execute, to_bytes
from analytics_core.reports.page import to_html
from analytics_core.reports.parameters import declared_parameters, read_parameters
from analytics_core.reports.template import Template
from analytics_core.workspace import Workspace

# What a file's name, its title and its grant are made of; a second value would make them untrue.
_SAID_ONCE = {"user": "--user", "period": "--period", "zone": "--tz"}

# No report runs longer than it may see rows.
_LONGEST = timedelta(hours=12)


@dataclass(frozen=True, slots=True)
class Report:
    """The two files of one report."""

    notebook: Path
    document: Path


def make_report(
    workspace: Workspace,
    template: Template,
    *,
    user: str,
    period: str,
    folder: Path,
    zone: str | None = None,
    parameters: Mapping[str, object] | None = None,
) -> Report:
    """Run a template for one user and write both files into `folder`, replacing older ones.

    The notebook runs in a kernel that is granted this user's rows and no others. Raises
    `UnknownUser`, `UnknownZone`, `RangeError`, `ParameterError` or `TemplateError` before anything
    runs, `ReportFailed` where a cell fails, `OutputError` where a file cannot be written.
    """
    check_parameters(parameters or {})
    recipient = workspace.find_user(user)
    viewer_zone = workspace.zone_of(recipient, zone)
    dates = DateRange.parse(period, workspace.today(viewer_zone), viewer_zone)
    if dates and period in list(Preset):
        # Fixed here, so that the file says which dates it is about and a rerun gives the same.
        period = str(dates)
    given: dict[str, object] = {"user": recipient.id, "period": period}
    if "zone" in declared_parameters(template):
        given["zone"] = viewer_zone.key
    values = read_parameters(template, {**given, **(parameters or {})})
    make_folder(folder)
    name = "-".join(map(file_name, (template.name, recipient.email, period)))
    failed = folder / f"{name}.failed.ipynb"
    until = datetime.now(UTC) + _LONGEST
    whose = Scope.user(recipient.id)
    workspace.record_use(Action.REPORT, whose, f"report {template.name}")
    granted = workspace.for_reader(whose, until)
    notebook = execute(template, values, granted.to_environment(), kept=failed)
    title = f"{template.name.capitalize()} – {recipient.name or recipient.email} – {period}"
    document = to_html(notebook, title)
    report = Report(folder / f"{name}.ipynb", folder / f"{name}.html")
    write_file(report.notebook, to_bytes(notebook))
    write_file(report.document, document.encode())
    # What an earlier run kept would only mislead beside a report that worked.
    failed.unlink(missing_ok=True)
    return report


def check_parameters(parameters: Mapping[str, object]) -> None:
    """Raise `ParameterError` for a parameter that has an option of its own."""
    for name in parameters:
        if name in _SAID_ONCE:
            raise ParameterError(name, f"it is given with {_SAID_ONCE[name]}")


def check_order(
    workspace: Workspace,
    template: Template,
    period: str,
    zone: str | None,
    parameters: Mapping[str, object],
) -> None:
    """What can be said of reports before any is made; raises what `make_report` would."""
    check_parameters(parameters)
    viewer_zone = workspace.zone_of(None, zone)
    DateRange.parse(period, workspace.today(viewer_zone), viewer_zone)
    read_parameters(template, {"user": "", "period": period, **parameters})


def file_name(text: str) -> str:
    """`text` as part of a file's name: itself where that is harmless, else told apart by a hash."""
    safe = re.sub(r"[^a-z0-9@._-]+", "_", text.lower()).strip(".-")[:80]
    return safe if safe == text else f"{safe}-{sha256(text.encode()).hexdigest()[:8]}"
