"""What to tell a visitor when something went wrong."""

from __future__ import annotations

from analytics_core.errors import (
    AccessEnded,
    DatabaseUnavailable,
    RangeError,
    SchemaMismatch,
    ScopeError,
    UnknownUser,
    UnknownZone,
)
from dashboards.model import NoAnswer


def in_plain_words(error: Exception | None) -> str:
    """What to tell a visitor: what happened, without addresses or the names of things inside.

    Only errors about what somebody asked for speak for themselves.
    """
    match error:
        case None:
            return ""
        case DatabaseUnavailable():
            return "The database that holds your usage does not answer right now."
        case SchemaMismatch():
            return "The database that holds your usage is not ready for this version of the page."
        case ScopeError():
            return "This page may not show you these numbers. Whoever runs it can say more."
        case AccessEnded() | NoAnswer() | RangeError() | UnknownUser() | UnknownZone():
            text = str(error)
            return f"{text[:1].upper()}{text[1:]}."
        case _:
            return "Something went wrong on our side while your usage was being added up."
