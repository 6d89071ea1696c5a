"""The baseline: one user's rows loaded into pandas and added up there, as an analyst would.

It asks for the columns it needs and for the rows of the range, where that is enough, so that it is
as quick as this way can be.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any

import pandas as pd
from sqlalchemy import text

from analytics_core.dal.database import Database
from analytics_core.model import latency
from analytics_core.model.daterange import DateRange, date_of
from analytics_core.model.results import timestamp_text

_OWN = {
    "users": "SELECT id, last_login_at, created_at FROM users WHERE email = :email",
    "renders": "SELECT created_at, type, status, quality, platform, source_platform, credits_cost,"
    " processing_time, project_id FROM renders"
    " WHERE user_id = :user AND created_at >= :start AND created_at < :end",
    "ledger": "SELECT created_at, kind, amount, category FROM credit_transactions"
    " WHERE user_id = :user AND created_at < :end",
    "calls": "SELECT occurred_at AS created_at, method, route, status_code, duration_bucket,"
    " platform FROM api_calls"
    " WHERE user_id = :user AND occurred_at >= :first_midnight AND occurred_at < :last_midnight",
    "days": "SELECT date, api_calls FROM usage_tracking"
    " WHERE user_id = :user AND date >= :first_day AND date < :last_day",
    "files": "SELECT created_at, media_type, size, deleted_at FROM files"
    " WHERE user_id = :user AND created_at < :end",
    "projects": "SELECT id, status, platform, created_at FROM projects"
    " WHERE user_id = :user AND created_at >= :start AND created_at < :end",
    "events": "SELECT event, created_at FROM account_activity WHERE user_id = :user",
    "keys": "SELECT is_active, last_used_at, expires_at FROM plugin_api_keys WHERE user_id = :user",
}
# The same from the tables of a renderiq host, which keeps no log of calls.
_HOST = _OWN | {
    "users": "SELECT id::text, last_login_at, created_at FROM users WHERE email = :email",
    "renders": "SELECT created_at, type, status, settings->>'quality' AS quality,"
    " CASE platform WHEN 'render' THEN 'web' ELSE platform END AS platform,"
    " metadata->>'sourcePlatform' AS source_platform, credits_cost, processing_time, project_id"
    " FROM renders"
    " WHERE user_id = CAST(:user AS uuid) AND created_at >= :start AND created_at < :end",
    "ledger": "SELECT created_at, abs(amount) AS amount,"
    " CASE type WHEN 'spent' THEN 'debit' ELSE 'credit' END AS kind,"
    " CASE WHEN type IN ('refund', 'bonus') THEN type WHEN type = 'spent' THEN 'render'"
    " WHEN reference_type = 'subscription' THEN 'subscription' ELSE 'purchase' END AS category"
    " FROM credit_transactions WHERE user_id = CAST(:user AS uuid) AND created_at < :end",
    "calls": "SELECT now() AS created_at, '' AS method, '' AS route, 0 AS status_code,"
    " 0 AS duration_bucket, '' AS platform WHERE false",
    "days": "SELECT date::date AS date, api_calls FROM usage_tracking"
    " WHERE user_id = CAST(:user AS uuid) AND date >= :first_day AND date < :last_day",
    "files": "SELECT created_at, mime_type AS media_type, size, NULL::timestamp AS deleted_at"
    " FROM file_storage WHERE user_id = CAST(:user AS uuid) AND created_at < :end",
    "projects": "SELECT id, status, CASE platform WHEN 'render' THEN 'web' ELSE platform END"
    " AS platform, created_at FROM projects"
    " WHERE user_id = CAST(:user AS uuid) AND created_at >= :start AND created_at < :end",
    "events": "SELECT event_type AS event, created_at FROM account_activity"
    " WHERE user_id = CAST(:user AS uuid)",
    "keys": "SELECT is_active, last_used_at, expires_at FROM plugin_api_keys"
    " WHERE user_id = CAST(:user AS uuid)",
}
_INSTANTS = ("created_at", "deleted_at", "last_used_at", "expires_at", "last_login_at")
_DAY = timedelta(days=1)


@dataclass(frozen=True)
class PandasBaseline:
    """All statistics of one user by pandas, as `Statistics.to_dict` says them."""

    database: Database
    email: str
    dates: DateRange
    now: datetime
    on_host: bool = False

    def answer(self) -> dict[str, Any]:
        return _Frames(self._load(), self.dates, self.now).added_up()

    def _load(self) -> dict[str, pd.DataFrame]:
        queries = _HOST if self.on_host else _OWN
        frames = {}
        parameters = self._parameters()
        with self.database.read() as connection:
            for name, query in queries.items():
                frame = pd.read_sql(text(query), connection, params=parameters)
                for column in frame.columns.intersection(list(_INSTANTS)):
                    frame[column] = pd.to_datetime(frame[column], unit="us", utc=True)
                frames[name] = frame
                if name == "users":
                    parameters["user"] = frame["id"].iloc[0]
        return frames

    def _parameters(self) -> dict[str, Any]:
        first = min(self.dates.first, self.dates.start.date())
        last = max(self.dates.last, (self.dates.end - timedelta(microseconds=1)).date()) + _DAY
        instants = {
            "start": self.dates.start,
            "end": self.dates.end,
            "first_midnight": datetime.combine(first, time(), UTC),
            "last_midnight": datetime.combine(last, time(), UTC),
        }
        days: dict[str, Any] = {"first_day": first, "last_day": last}
        if self.database.dialect == "sqlite":
            stored: dict[str, Any] = {
                k: int(v.timestamp() * 1_000_000) for k, v in instants.items()
            }
            days = {name: day.isoformat() for name, day in days.items()}
        elif self.on_host:
            stored = {name: instant.replace(tzinfo=None) for name, instant in instants.items()}
        else:
            stored = dict(instants)
        return {"email": self.email, **stored, **days}


@dataclass(frozen=True)
class _Frames:
    frames: Mapping[str, pd.DataFrame]
    dates: DateRange
    now: datetime

    def added_up(self) -> dict[str, Any]:
        days = self.dates.days
        renders, ledger, files = (self.frames[name] for name in ("renders", "ledger", "files"))
        start = pd.Timestamp(self.dates.start)
        entries = ledger[ledger["created_at"] >= start]
        debits, credits = (entries[entries["kind"] == kind] for kind in ("debit", "credit"))
        spent, earned = int(debits["amount"].sum()), int(credits["amount"].sum())
        signs = ledger["kind"].map({"debit": -1, "credit": 1})
        uploaded = files[files["created_at"] >= start]
        stored = files[~(files["deleted_at"] < pd.Timestamp(self.dates.end))]
        api, calls_by_day = self._api()
        return {
            "range": {
                "from": self.dates.first.isoformat(),
                "to": self.dates.last.isoformat(),
                "tz": self.dates.zone.key,
                "days": days,
            },
            "renders": self._renders(),
            "credits": {
                "spent": spent,
                "earned": earned,
                "net": earned - spent,
                "by_category": _sums(entries.groupby("category")["amount"].sum(), _CATEGORIES),
                "average_per_day": spent / days,
                "balance": int((ledger["amount"] * signs).sum()),
            },
            "api": api,
            "storage": {
                "uploaded_bytes": int(uploaded["size"].sum()),
                "uploaded_files": len(uploaded),
                "by_media_type": _sums(
                    uploaded["media_type"].str.split("/").str[0].str.lower().value_counts()
                ),
                "stored_bytes": int(stored["size"].sum()),
                "stored_files": len(stored),
                "average_per_day": int(uploaded["size"].sum()) / days,
            },
            "projects": self._projects(),
            "activity": self._activity(),
            "daily": [
                {
                    "date": day.isoformat(),
                    "renders_created": int(created),
                    "credits_spent": int(cost),
                    "api_calls": int(called),
                    "storage_used": int(size),
                }
                for day, created, cost, called, size in zip(
                    self.dates.dates,
                    self._per_day(self._dates(renders).value_counts()),
                    self._per_day(debits.groupby(self._dates(debits))["amount"].sum()),
                    self._per_day(calls_by_day),
                    self._per_day(uploaded.groupby(self._dates(uploaded))["size"].sum()),
                    strict=True,
                )
            ],
        }

    def _dates(self, frame: pd.DataFrame) -> pd.Series[Any]:
        """The local midnight of each row's date, without a zone."""
        local = frame["created_at"].dt.tz_convert(self.dates.zone)
        midnights: pd.Series[Any] = local.dt.tz_localize(None).dt.normalize()
        return midnights

    def _per_day(self, sums: pd.Series[Any]) -> Iterable[int]:
        return sums.reindex(pd.to_datetime(list(self.dates.dates)), fill_value=0)

    def _renders(self) -> dict[str, Any]:
        renders = self.frames["renders"]
        status = renders["status"].value_counts()
        completed, failed = (int(status.get(name, 0)) for name in ("completed", "failed"))
        timed = renders[(renders["status"] == "completed") & (renders["processing_time"] > 0)]
        plugin = renders["source_platform"].fillna("") != ""
        platforms = renders["platform"].fillna("web").where(~plugin, "plugin")
        return {
            "total": len(renders),
            "by_type": _sums(renders["type"].value_counts(), ("image", "video")),
            "by_status": _sums(status, ("completed", "failed", "pending", "processing")),
            "by_quality": _sums(
                renders["quality"].fillna("unspecified").value_counts(),
                ("standard", "high", "ultra"),
            ),
            "by_platform": _sums(platforms.value_counts(), ("web", "tools", "canvas", "plugin")),
            "average_processing_time": float(timed["processing_time"].mean()),
            "success_rate": 100 * completed / (completed + failed),
            "credits_spent": int(renders["credits_cost"].sum()),
        }

    def _api(self) -> tuple[dict[str, Any], pd.Series[Any]]:
        calls, stored, renders = (self.frames[name] for name in ("calls", "days", "renders"))
        called_on = calls["created_at"].dt.date
        recorded_days = set(called_on)
        start, end = pd.Timestamp(self.dates.start), pd.Timestamp(self.dates.end)
        recorded = calls[(calls["created_at"] >= start) & (calls["created_at"] < end)]
        dates = pd.to_datetime(stored["date"])
        first, last = pd.Timestamp(self.dates.first), pd.Timestamp(self.dates.last)
        counted = (dates >= first) & (dates <= last) & ~dates.dt.date.isin(recorded_days)
        plugin = renders[renders["source_platform"].fillna("") != ""]
        plugin = plugin[~plugin["created_at"].dt.date.isin(recorded_days)]
        inferred = plugin[~plugin["created_at"].dt.date.isin(set(dates.dt.date))]
        by_day = (
            self._dates(recorded)
            .value_counts()
            .add(self._dates(inferred).value_counts(), fill_value=0)
            .add(stored[counted].groupby(dates[counted])["api_calls"].sum(), fill_value=0)
        )
        total = int(by_day.sum())
        sources = [
            name
            for name, found in (
                ("recorded", len(recorded)),
                ("daily", counted.sum()),
                ("inferred", len(inferred)),
            )
            if found
        ]
        platforms = pd.concat([recorded["platform"], plugin["source_platform"]])
        buckets = recorded["duration_bucket"].value_counts()
        histogram = {int(str(bucket)): int(n) for bucket, n in buckets.items()}
        keys = self.frames["keys"]
        active = keys["is_active"].astype(bool) & keys["last_used_at"].notna()
        active &= ~(keys["expires_at"] <= pd.Timestamp(self.now))
        answer = {
            "total_calls": total,
            "source": "mixed" if len(sources) > 1 else sources[0],
            "by_platform": _sums(platforms.value_counts()),
            "by_route": _sums((recorded["method"] + " " + recorded["route"]).value_counts()),
            "by_status_class": _sums(
                (recorded["status_code"].astype(str).str[0] + "xx").value_counts(),
                ("2xx", "4xx", "5xx"),
            ),
            "latency_ms": {
                "p50": latency.quantile(histogram, 0.5),
                "p95": latency.quantile(histogram, 0.95),
            },
            "average_per_day": total / self.dates.days,
            "keys": len(keys),
            "active_keys": int(active.sum()),
        }
        return answer, by_day

    def _projects(self) -> dict[str, Any]:
        projects, renders = self.frames["projects"], self.frames["renders"]
        belonging = int(renders["project_id"].isin(projects["id"]).sum())
        return {
            "total": len(projects),
            "by_platform": _sums(projects["platform"].value_counts(), ("web", "tools", "canvas")),
            "by_status": _sums(
                projects["status"].value_counts(), ("processing", "completed", "failed")
            ),
            "total_renders": belonging,
            "average_renders_per_project": belonging / len(projects),
        }

    def _activity(self) -> dict[str, Any]:
        events, user = self.frames["events"], self.frames["users"].iloc[0]
        logins = events[events["event"] == "login"]["created_at"]
        newest = max(logins.max(), user["last_login_at"]).to_pydatetime()
        zone = self.dates.zone
        born = date_of(user["created_at"].to_pydatetime(), zone)
        return {
            "logins": len(logins),
            "signups": int((events["event"] == "signup").sum()),
            "last_login_at": timestamp_text(newest),
            "account_age_days": (date_of(self.now, zone) - born).days,
        }


_CATEGORIES = ("render", "refund", "purchase", "subscription", "bonus")


def _sums(counts: pd.Series[Any], names: tuple[str, ...] = ()) -> dict[str, int]:
    """As a dictionary of plain ints, zeros filled in for the names."""
    return dict.fromkeys(names, 0) | {str(name): int(n) for name, n in counts.items()}
