"""The closed vocabularies: what a value may be when written, and what partitions are named.

A value outside its vocabulary is refused on write (`VocabularyError`) and survives on read as
`UNSPECIFIED`, so that a sum over a partition always equals its total.
"""

from __future__ import annotations

from enum import StrEnum

UNSPECIFIED = "unspecified"


class RenderType(StrEnum):
    IMAGE = "image"
    VIDEO = "video"


class RenderStatus(StrEnum):
    COMPLETED = "completed"
    FAILED = "failed"
    PENDING = "pending"
    PROCESSING = "processing"


class Quality(StrEnum):
    STANDARD = "standard"
    HIGH = "high"
    ULTRA = "ultra"


class Platform(StrEnum):
    """Where a render or project was made; a render with a source platform counts as `PLUGIN`."""

    WEB = "web"
    TOOLS = "tools"
    CANVAS = "canvas"
    PLUGIN = "plugin"


class TransactionKind(StrEnum):
    DEBIT = "debit"
    CREDIT = "credit"


class Category(StrEnum):
    RENDER = "render"
    REFUND = "refund"
    PURCHASE = "purchase"
    SUBSCRIPTION = "subscription"
    BONUS = "bonus"


class ProjectStatus(StrEnum):
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"


class ActivityEvent(StrEnum):
    SIGNUP = "signup"
    LOGIN = "login"
    LOGOUT = "logout"
    RENDER = "render"
    CREDIT_PURCHASE = "credit_purchase"


class ApiSource(StrEnum):
    """Where a count of API calls came from; `MIXED` when a range has more than one."""

    RECORDED = "recorded"
    DAILY = "daily"
    INFERRED = "inferred"
    MIXED = "mixed"
