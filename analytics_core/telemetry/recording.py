"""Counting renders into the daily aggregate, from within the product's own processes."""

from __future__ import annotations

import logging
import os
import threading
from datetime import datetime

from analytics_core.dal.database import PATIENCE_SECONDS, Database
from analytics_core.dal.recorded_renders import RecordedRenderRepository
from analytics_core.dal.usage_tracking import UsageAmounts
from analytics_core.settings import Settings

_log = logging.getLogger(__name__)


class UsageRecorder:
    """Records into one database; safe to share between threads, but not across a fork."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._renders = RecordedRenderRepository(database)

    @classmethod
    def open(cls, settings: Settings) -> UsageRecorder:
        """A recorder for the database of the settings; it connects when it first records."""
        url = settings.database_url.get_secret_value()
        return cls(
            Database(
                url,
                read_only=settings.profile is not None,
                wait_for_connection=PATIENCE_SECONDS,
            )
        )

    def record_render_creation(
        self,
        user_id: str,
        credits_cost: int,
        is_api_call: bool,
        *,
        render_id: str,
        occurred_at: datetime,
    ) -> bool:
        """Add one render to the aggregate of its user and UTC day; call it once it is written.

        `occurred_at` is aware, `credits_cost` whole and not negative. The same `render_id` counts
        once, whoever tells it and however often, so that a failure may be told again.

        Returns whether the render is counted, now or before. Never raises: whatever goes wrong is
        one line at level ERROR in the log of `analytics_core.telemetry`, and False. Takes a few
        milliseconds; where the database does not answer or others hold its lock, it gives up
        after 5 seconds of waiting for each, and a product that cannot wait so long calls it after
        it has answered.
        """
        try:
            _check(user_id, credits_cost, render_id, occurred_at)
            amounts = UsageAmounts(
                renders_created=1, credits_spent=credits_cost, api_calls=int(is_api_call)
            )
            self._renders.count_once(render_id, user_id, occurred_at, amounts)
        except Exception as problem:
            # Recording is never a reason for a render to fail, whatever the reason is.
            _give_up(render_id, problem)
            return False
        return True

    def close(self) -> None:
        """Give back the connections."""
        self._database.close()


def record_render_creation(
    user_id: str,
    credits_cost: int,
    is_api_call: bool,
    *,
    render_id: str,
    occurred_at: datetime,
) -> bool:
    """`UsageRecorder.record_render_creation` into the database of this process's settings.

    The first call reads the settings and opens the database; a forked process opens its own.
    """
    try:
        recorder = _default.recorder()
    except Exception as problem:
        _give_up(render_id, problem)
        return False
    return recorder.record_render_creation(
        user_id, credits_cost, is_api_call, render_id=render_id, occurred_at=occurred_at
    )


def _check(user_id: object, credits_cost: object, render_id: object, occurred_at: object) -> None:
    for name, value in (("user_id", user_id), ("render_id", render_id)):
        if not isinstance(value, str) or not value:
            raise ValueError(f"{name} must be a text that is not empty, not {value!r}")
    if isinstance(credits_cost, bool) or not isinstance(credits_cost, int) or credits_cost < 0:
        raise ValueError(f"credits_cost must be a whole number from 0, not {credits_cost!r}")
    if not isinstance(occurred_at, datetime) or occurred_at.utcoffset() is None:
        raise ValueError(f"occurred_at must be a datetime with a time zone, not {occurred_at!r}")


def _give_up(render_id: object, problem: Exception) -> None:
    reason = " ".join(str(problem).split()) or type(problem).__name__
    _log.error("render %r was not recorded: %s", render_id, reason)


class _Default:
    """The recorder of this process, made when first needed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._recorder: UsageRecorder | None = None

    def recorder(self) -> UsageRecorder:
        with self._lock:
            if self._recorder is None:
                self._recorder = UsageRecorder.open(Settings.read())
            return self._recorder


_default = _Default()


def _start_anew() -> None:
    """Forget what a forked process inherits: it must not speak over its parent's connections."""
    global _default
    _default = _Default()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_start_anew)
