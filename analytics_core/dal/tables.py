"""The workspace's own tables, typed.

Timestamps are UTC instants: `timestamptz` on PostgreSQL, whole microseconds since 1970 on SQLite,
where text would be slower to compare and to cut into days. Ids are whatever text the product uses.
Indexes carry the columns that a page needs, so that its reads never touch the table.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Computed,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    SmallInteger,
    String,
    column,
    text,
)
from sqlalchemy import types as sql
from sqlalchemy.exc import DontWrapMixin
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator, TypeEngine

from analytics_core.dal.facets import DIGITS, facets
from analytics_core.errors import VocabularyError
from analytics_core.model import vocabulary as words

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def microseconds(instant: datetime) -> int:
    """An aware instant as SQLite stores it: whole microseconds since 1970."""
    return (instant - _EPOCH) // _MICROSECOND


class UtcInstant(TypeDecorator[datetime]):
    """An aware datetime, in UTC, whatever the database stores it as."""

    impl = sql.DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "sqlite":
            return dialect.type_descriptor(BigInteger())
        return dialect.type_descriptor(sql.DateTime(timezone=True))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"a stored instant needs a time zone: {value!r}")
        return microseconds(value) if dialect.name == "sqlite" else value

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if dialect.name == "sqlite":
            return _EPOCH + timedelta(microseconds=value)
        instant: datetime = value
        return instant.astimezone(UTC)


class NaiveUtcInstant(TypeDecorator[datetime]):
    """An aware datetime in a host's `timestamp without time zone`, which is read as UTC."""

    impl = sql.DateTime(timezone=False)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.replace(tzinfo=UTC)


class NumberAsText(TypeDecorator[str]):
    """A host's whole-number id, which is text everywhere else."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> int | None:
        return None if value is None else int(value)

    def process_result_value(self, value: int | None, dialect: Dialect) -> str | None:
        return None if value is None else str(value)


class UuidAsText(TypeDecorator[str]):
    """A host's uuid, which is text everywhere else, however it is spelled."""

    impl = sql.Uuid(as_uuid=False)
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        # Python reads spellings that PostgreSQL refuses, `urn:uuid:…` among them.
        return None if value is None else str(uuid.UUID(value))


class _NotAWord(VocabularyError, DontWrapMixin):
    """The same to everybody but SQLAlchemy, which hands it on as it is."""


class Word(TypeDecorator[str]):
    """Text out of a closed vocabulary: refused on write, passed through on read."""

    impl = String(32)
    cache_ok = True

    def __init__(self, vocabulary: type[StrEnum], without: Sequence[str] = ()) -> None:
        super().__init__()
        self.vocabulary = vocabulary
        self.without = tuple(without)

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        if value is None:
            return None
        allowed = [word.value for word in self.vocabulary if word not in self.without]
        if value not in allowed:
            raise _NotAWord(self.vocabulary.__name__, value, allowed)
        return str(value)

    def coerce_compared_value(self, op: Any, value: Any) -> TypeEngine[Any]:
        # What is compared with a word need not be one.
        return String()


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy reads it from the class
        datetime: UtcInstant,
        str: String(255),
        int: BigInteger,
    }


class UserRow(Base):
    __tablename__ = "users"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    email: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str | None]
    zone: Mapped[str | None] = mapped_column(String(64))
    is_active: Mapped[bool] = mapped_column(default=True)
    last_login_at: Mapped[datetime | None]
    created_at: Mapped[datetime]


class ProjectRow(Base):
    __tablename__ = "projects"
    __table_args__ = (
        Index("ix_projects_page", "user_id", "created_at", "status", "platform", "id"),
    )

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[str] = mapped_column(String(64), ForeignKey("users.id"))
    name: Mapped[str]
    status: Mapped[str] = mapped_column(Word(words.ProjectStatus))
    platform: Mapped[str] = mapped_column(Word(words.Platform, without=[words.Platform.PLUGIN]))
    created_at: Mapped[datetime]


class RenderRow(Base):
    """A render; `source_platform` (sketchup, revit, …) is set where a plugin asked for it."""

    __tablename__ = "renders"
    __table_args__ = (
        Index(
            "ix_renders_page",
            *("user_id", "created_at", "facets", "processing_time"),
            *("credits_cost", "project_id"),
        ),
        # Where no API calls are recorded, a plugin's renders are counted in their place.
        Index(
            "ix_renders_plugin",
            *("user_id", "created_at", "source_platform"),
            postgresql_where=text("source_platform <> ''"),
            sqlite_where=text("source_platform <> ''"),
        ),
    )

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[str] = mapped_column(String(64), ForeignKey("users.id"))
    project_id: Mapped[str | None] = mapped_column(String(64), ForeignKey("projects.id"))
    type: Mapped[str] = mapped_column(Word(words.RenderType))
    status: Mapped[str] = mapped_column(Word(words.RenderStatus))
    quality: Mapped[str | None] = mapped_column(Word(words.Quality))
    platform: Mapped[str] = mapped_column(Word(words.Platform, without=[words.Platform.PLUGIN]))
    source_platform: Mapped[str | None] = mapped_column(String(64))
    plugin_version: Mapped[str | None] = mapped_column(String(64))
    credits_cost: Mapped[int] = mapped_column(Integer)
    processing_time: Mapped[float | None]
    created_at: Mapped[datetime]
    # Computed by the database, also for rows that somebody else puts in.
    facets: Mapped[int | None] = mapped_column(
        SmallInteger,
        Computed(
            facets({name: column(name) for name in ("source_platform", *DIGITS)}), persisted=True
        ),
    )


class TransactionRow(Base):
    """One entry of the credit ledger; `amount` is positive, `kind` says which way it went."""

    __tablename__ = "credit_transactions"
    __table_args__ = (
        CheckConstraint("amount > 0", name="amount_is_positive"),
        Index("ix_credit_transactions_page", "user_id", "created_at", "kind", "category", "amount"),
    )

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[str] = mapped_column(String(64), ForeignKey("users.id"))
    kind: Mapped[str] = mapped_column(Word(words.TransactionKind))
    amount: Mapped[int] = mapped_column(Integer)
    category: Mapped[str] = mapped_column(Word(words.Category))
    reference_id: Mapped[str | None] = mapped_column(String(64))
    created_at: Mapped[datetime]


class ActivityRow(Base):
    __tablename__ = "account_activity"
    __table_args__ = (Index("ix_account_activity_page", "user_id", "event", "created_at"),)

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[str] = mapped_column(String(64), ForeignKey("users.id"))
    event: Mapped[str] = mapped_column(Word(words.ActivityEvent))
    created_at: Mapped[datetime]


class ApiKeyRow(Base):
    """A plugin's key, of which only the hash is kept."""

    __tablename__ = "plugin_api_keys"
    __table_args__ = (Index("ix_plugin_api_keys_user_id", "user_id"),)

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[str] = mapped_column(String(64), ForeignKey("users.id"))
    name: Mapped[str]
    key_hash: Mapped[str] = mapped_column(String(128), unique=True)
    prefix: Mapped[str] = mapped_column(String(16))
    is_active: Mapped[bool] = mapped_column(default=True)
    expires_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
    created_at: Mapped[datetime]


class FileRow(Base):
    """A stored file; size in bytes. A deleted one keeps its row, so that past days stay true."""

    __tablename__ = "files"
    __table_args__ = (
        Index("ix_files_page", "user_id", "created_at", "media_type", "size", "deleted_at"),
    )

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[str] = mapped_column(String(64), ForeignKey("users.id"))
    name: Mapped[str]
    media_type: Mapped[str]
    size: Mapped[int]
    created_at: Mapped[datetime]
    deleted_at: Mapped[datetime | None]


class ApiCallRow(Base):
    """A recorded API call; its duration is kept as a bucket of `model.latency`.

    On PostgreSQL each month is a table of its own, which is why its key holds the instant.
    """

    __tablename__ = "api_calls"
    __table_args__ = (
        Index(
            "ix_api_calls_page",
            *("user_id", "occurred_at", "method", "route", "status_code"),
            *("platform", "duration_bucket"),
        ),
        {"postgresql_partition_by": "RANGE (occurred_at)"},
    )

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[str] = mapped_column(String(64), ForeignKey("users.id"))
    method: Mapped[str] = mapped_column(String(16))
    route: Mapped[str]
    status_code: Mapped[int] = mapped_column(Integer)
    duration_bucket: Mapped[int] = mapped_column(Integer)
    platform: Mapped[str | None] = mapped_column(String(64))
    plugin_version: Mapped[str | None] = mapped_column(String(64))
    occurred_at: Mapped[datetime] = mapped_column(primary_key=True)


class UsageTrackingRow(Base):
    """The stored aggregate of one user and UTC day; storage in bytes uploaded that day."""

    __tablename__ = "usage_tracking"

    user_id: Mapped[str] = mapped_column(String(64), ForeignKey("users.id"), primary_key=True)
    date: Mapped[date] = mapped_column(primary_key=True)
    renders_created: Mapped[int] = mapped_column(default=0, server_default="0")
    credits_spent: Mapped[int] = mapped_column(default=0, server_default="0")
    api_calls: Mapped[int] = mapped_column(default=0, server_default="0")
    storage_used: Mapped[int] = mapped_column(default=0, server_default="0")


class RecordedRenderRow(Base):
    """The renders that the daily aggregate has counted, so that none is counted twice."""

    __tablename__ = "recorded_renders"

    render_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    occurred_at: Mapped[datetime]
    # 0 where an event told of the render and `record_render_creation`, which knows its credits and
    # its API call, did not.
    amounts_told: Mapped[int] = mapped_column(Integer, default=1, server_default="1")


class RecordedEventRow(Base):
    """An event that was counted; an empty digest where its noun was told under another id."""

    __tablename__ = "recorded_events"
    __table_args__ = (Index("ix_recorded_events_occurred_at", "occurred_at"),)

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    digest: Mapped[str] = mapped_column(String(32))
    occurred_at: Mapped[datetime]


class EndingRow(Base):
    """The last that was told of a render's or file's end, also where its beginning is not yet."""

    __tablename__ = "endings"
    __table_args__ = (Index("ix_endings_occurred_at", "occurred_at"),)

    noun: Mapped[str] = mapped_column(String(8), primary_key=True)
    noun_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    event_id: Mapped[str] = mapped_column(String(64))
    status: Mapped[str | None] = mapped_column(String(32))
    processing_time: Mapped[float | None]
    occurred_at: Mapped[datetime]


class _RolledUser:
    """A user of whom one noun is kept in rollup cells, all of it but the days that are marked.

    Here and below, `source` is the database that the rows are in: 0 for the workspace's own, else
    the number of a product's.
    """

    source: Mapped[int] = mapped_column(Integer, primary_key=True)
    noun: Mapped[str] = mapped_column(String(32), primary_key=True)
    user_id: Mapped[str] = mapped_column(String(64), primary_key=True)


class _RollupCell:
    """What one member of a dimension adds up to in a bucket of `width` seconds; see `dal.rollup`.

    `amount` is in credits or bytes, `seconds` adds up the times of the `timed` renders.
    """

    source: Mapped[int] = mapped_column(Integer, primary_key=True)
    user_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    dimension: Mapped[str] = mapped_column(String(32), primary_key=True)
    width: Mapped[int] = mapped_column(Integer, primary_key=True)
    start: Mapped[datetime] = mapped_column(primary_key=True)
    member: Mapped[str] = mapped_column(String(300), primary_key=True)
    count: Mapped[int] = mapped_column(Integer)
    amount: Mapped[Any] = mapped_column(sql.Numeric().with_variant(BigInteger(), "sqlite"))
    timed: Mapped[int] = mapped_column(Integer)
    seconds: Mapped[float]


class _RollupMark:
    """A user's UTC day of which something changed since its cells were made.

    No user: whoever may be worth cells has to be looked for.
    """

    id: Mapped[int] = mapped_column(
        BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True
    )
    source: Mapped[int] = mapped_column(Integer)
    noun: Mapped[str] = mapped_column(String(32))
    user_id: Mapped[str] = mapped_column(String(64))
    day: Mapped[date]


class _Tombstone:
    """Somebody who was forgotten, as a keyed digest of something that names them: `dal.tombstones`.

    `kind` is what was digested: `user` an id, `email`, or `key` the hash of an API key.
    """

    source: Mapped[int] = mapped_column(Integer, primary_key=True)
    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    kind: Mapped[str] = mapped_column(String(8))
    forgotten_at: Mapped[datetime]
    forgotten_by: Mapped[str]


class _TombstoneKey:
    """The key of the digests, made when somebody is forgotten first."""

    source: Mapped[int] = mapped_column(Integer, primary_key=True)
    key: Mapped[str] = mapped_column(String(64))


class _AuditEntry:
    """Somebody who did something with rows of people; only ever added: `dal.audit`.

    `who` is a keyed digest, `whose` several with spaces between, or `everyone`; `by` is what it was
    done with.
    """

    id: Mapped[int] = mapped_column(
        BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True
    )
    source: Mapped[int] = mapped_column(Integer)
    at: Mapped[datetime]
    who: Mapped[str] = mapped_column(String(64))
    action: Mapped[str] = mapped_column(String(16))
    whose: Mapped[str] = mapped_column(sql.Text)
    by: Mapped[str]


class _AuditPerson:
    """The key of one person's digests in the audit log: without it they are nobody's."""

    source: Mapped[int] = mapped_column(Integer, primary_key=True)
    user_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    key: Mapped[str] = mapped_column(String(64))


class AuditEntryRow(_AuditEntry, Base):
    __tablename__ = "audit_log"
    __table_args__ = (Index("ix_audit_log_at", "at"),)


class AuditPersonRow(_AuditPerson, Base):
    __tablename__ = "audit_people"


class TombstoneRow(_Tombstone, Base):
    __tablename__ = "tombstones"


class TombstoneKeyRow(_TombstoneKey, Base):
    __tablename__ = "tombstone_keys"


class HorizonRow(Base):
    """The first UTC day of which records of a kind are kept: `dal.retention`."""

    __tablename__ = "horizons"

    kind: Mapped[str] = mapped_column(String(32), primary_key=True)
    first_day: Mapped[date]


class RolledUserRow(_RolledUser, Base):
    __tablename__ = "rolled_users"


class RollupCellRow(_RollupCell, Base):
    __tablename__ = "rollup_cells"


class RollupMarkRow(_RollupMark, Base):
    __tablename__ = "rollup_marks"
    __table_args__ = (Index("ix_rollup_marks_page", "source", "user_id", "noun", "day"),)


class SetAsideEventRow(Base):
    """An event that was acknowledged and cannot be counted, as JSON, with the reason."""

    __tablename__ = "set_aside_events"

    digest: Mapped[str] = mapped_column(String(32), primary_key=True)
    user_id: Mapped[str | None] = mapped_column(String(64))
    reason: Mapped[str]
    event: Mapped[str] = mapped_column(sql.Text)
    set_aside_at: Mapped[datetime]


class StateBase(DeclarativeBase):
    """The tables of the state database, which the workspace keeps beside a product's own."""

    metadata = MetaData(naming_convention=Base.metadata.naming_convention)
    type_annotation_map = Base.type_annotation_map


class SourceRow(StateBase):
    """A database that was looked at; everything kept about it carries its `id`.

    `identity` is a digest of what makes the database that one and no other (`dal.state`).
    """

    __tablename__ = "sources"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    identity: Mapped[str] = mapped_column(String(64), unique=True)
    label: Mapped[str]
    first_seen_at: Mapped[datetime]


class FollowedUserRow(_RolledUser, StateBase):
    __tablename__ = "followed_users"


class FollowedCellRow(_RollupCell, StateBase):
    __tablename__ = "followed_cells"


class FollowedMarkRow(_RollupMark, StateBase):
    __tablename__ = "followed_marks"
    __table_args__ = (Index("ix_followed_marks_page", "source", "user_id", "noun", "day"),)


class FollowedTombstoneRow(_Tombstone, StateBase):
    __tablename__ = "followed_tombstones"


class FollowedTombstoneKeyRow(_TombstoneKey, StateBase):
    __tablename__ = "followed_tombstone_keys"


class FollowedAuditEntryRow(_AuditEntry, StateBase):
    __tablename__ = "followed_audit_log"
    __table_args__ = (Index("ix_followed_audit_log_at", "at"),)


class FollowedAuditPersonRow(_AuditPerson, StateBase):
    __tablename__ = "followed_audit_people"


class FollowedNounRow(StateBase):
    """How far a noun of a product's database has been followed.

    Changes up to `seen_until` are known, as of `looked_at`; everything was compared at
    `reconciled_at`.
    """

    __tablename__ = "followed_nouns"

    source: Mapped[int] = mapped_column(Integer, primary_key=True)
    noun: Mapped[str] = mapped_column(String(32), primary_key=True)
    seen_until: Mapped[datetime]
    looked_at: Mapped[datetime]
    reconciled_at: Mapped[datetime]
