"""What can go wrong, as a small family of errors that carry their data.

Every error says in one sentence what happened and, where somebody can do something about it, what.
Errors become messages only at an edge (command line, page, report); nothing below an edge prints.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path


class AnalyticsError(Exception):
    """Anything this workspace refuses or cannot do, in one line for a person."""


class SettingsError(AnalyticsError):
    """A setting is missing or cannot be read."""

    def __init__(self, setting: str, problem: str) -> None:
        self.setting, self.problem = setting, problem
        super().__init__(f"{setting}: {problem}")


class UnknownUser(AnalyticsError):
    """No user has this e-mail address or id within the scope that was granted."""

    def __init__(self, user: str) -> None:
        self.user = user
        super().__init__(f"unknown user: {user!r}")


class ForgottenUser(AnalyticsError):
    """Something is told of somebody who was forgotten; the line does not say of whom."""

    def __init__(self, since: datetime) -> None:
        self.since = since
        super().__init__(f"its user was forgotten on {since:%Y-%m-%d}")


class NotConfirmed(AnalyticsError):
    """What cannot be undone was not confirmed, and was not done."""


class RangeError(AnalyticsError):
    """A date, a range of dates or a period cannot be read as one."""


class UnknownZone(AnalyticsError):
    """A name is not a time zone of the IANA database."""

    def __init__(self, zone: str) -> None:
        self.zone = zone
        super().__init__(f"unknown time zone: {zone!r} (names look like 'Europe/Madrid')")


class ScopeError(AnalyticsError):
    """Something was asked for outside the granted scope, or no scope was granted at all."""


class NotAdmitted(AnalyticsError):
    """It could not be verified who is asking, so that nothing is shown."""


class TokenRefused(NotAdmitted):
    """A token or a session is not believed; the line never holds any of it."""

    def __init__(self, problem: str) -> None:
        self.problem = problem
        super().__init__(f"the token is refused: {problem}")


class AccessEnded(AnalyticsError):
    """What was granted here is over, was replaced, or was never signed by who may."""

    def __init__(self) -> None:
        super().__init__("access has ended: open this again from where you came")


class NotHeldBack(AnalyticsError):
    """A dashboard or a report would read as a role that row-level security does not hold back."""

    def __init__(self, database: str, role: str) -> None:
        self.database, self.role = database, role
        super().__init__(
            f"dashboards and reports do not read {database} as {role}, which no grant holds back:"
            " give ANALYTICS_READER_URL a role that may only read (docs/operations.md)"
        )


class VocabularyError(AnalyticsError):
    """A value to be written is not in the vocabulary of its field."""

    def __init__(self, field: str, value: object, allowed: Iterable[str]) -> None:
        self.field, self.value, self.allowed = field, value, tuple(allowed)
        super().__init__(f"{field} cannot be {value!r}; it is one of {', '.join(self.allowed)}")


class ProfileError(AnalyticsError):
    """A profile cannot be read, or names something that its database does not have."""

    def __init__(self, profile: str, problem: str) -> None:
        self.profile, self.problem = profile, problem
        super().__init__(f"profile {profile}: {problem}")


class DatabaseUnavailable(AnalyticsError):
    """The database does not answer, or does not take what is written.

    `database` is its address without the password.
    """

    def __init__(self, database: str, problem: str) -> None:
        self.database, self.problem = database, problem
        super().__init__(f"the database {database} is not available: {problem}")


class SchemaMismatch(AnalyticsError):
    """A workspace database has no tables of ours, or is older or newer than this code."""

    def __init__(self, database: str, found: str | None, wanted: str, advice: str) -> None:
        self.database, self.found, self.wanted = database, found, wanted
        super().__init__(f"the database {database} {advice}")


class NotEmpty(AnalyticsError):
    """Demo data would be mixed with, or replace, what somebody has already."""


class ReadOnlyDatabase(AnalyticsError):
    """Something would have to be written to a product's own database, which is only ever read."""


class SpoolFull(AnalyticsError):
    """The spool has no room for another event, by its limit or the disk's."""

    def __init__(self, folder: Path, problem: str) -> None:
        self.folder, self.problem = folder, problem
        super().__init__(f"the spool {folder} is full: {problem}")


class SpoolUnavailable(AnalyticsError):
    """The spool's folder or files cannot be written or read."""

    def __init__(self, folder: Path, problem: str) -> None:
        self.folder, self.problem = folder, problem
        super().__init__(f"the spool {folder} cannot be used: {problem}")


class OutputError(AnalyticsError):
    """A file that was asked for cannot be written, or is there already."""

    def __init__(self, path: Path, problem: str) -> None:
        self.path, self.problem = path, problem
        super().__init__(f"cannot write {path}: {problem}")


class StorageError(AnalyticsError):
    """A bucket or folder cannot be read, or a pattern does not say whose files its objects are."""


class TemplateError(AnalyticsError):
    """A report template cannot be found, or is not a notebook with a `parameters` cell."""

    def __init__(self, template: str, problem: str) -> None:
        self.template, self.problem = template, problem
        super().__init__(f"report template {template}: {problem}")


class PortTaken(AnalyticsError):
    """A server of ours cannot listen on a port of this machine."""

    def __init__(self, port: int) -> None:
        self.port = port
        super().__init__(f"port {port} is taken, or not yours to use; choose another with --port")


class SocketTaken(AnalyticsError):
    """A server of ours cannot listen on a Unix socket."""

    def __init__(self, path: Path, problem: str) -> None:
        self.path, self.problem = path, problem
        super().__init__(f"cannot listen on {path}: {problem}")


class ParameterError(AnalyticsError):
    """A report was asked for with a parameter that it does not know or that has the wrong type."""

    def __init__(self, parameter: str, problem: str) -> None:
        self.parameter, self.problem = parameter, problem
        super().__init__(f"parameter {parameter}: {problem}")


class ReportFailed(AnalyticsError):
    """A cell of a report raised; the notebook as far as it got is kept at `kept`.

    `cell` counts the template's cells from 1; `heading` is the last heading above it, if any.
    """

    def __init__(
        self, notebook: str, cell: int, heading: str | None, error: str, kept: Path
    ) -> None:
        self.notebook, self.cell, self.heading = notebook, cell, heading
        self.error, self.kept = error, kept
        where = f"cell {cell} ({heading})" if heading else f"cell {cell}"
        super().__init__(f"{notebook}: {where} failed with {error} (kept as {kept})")


class KernelDied(ReportFailed):
    """A report's kernel ended while a cell ran; another try may well work."""


class NothingKept(AnalyticsError):
    """A product's database without a state database in which something could be kept of it."""

    def __init__(self, label: str) -> None:
        super().__init__(
            f"nothing is kept of {label}: set ANALYTICS_STATE_URL and run `analytics init`"
        )
        self.label = label
