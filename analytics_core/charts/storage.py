"""The Storage tab: what is stored, and what was uploaded."""

from __future__ import annotations

from datetime import datetime

from analytics_core.charts import formats, sentences
from analytics_core.charts.cards import card
from analytics_core.charts.daily import Amount, amounts, level
from analytics_core.charts.partitions import label, parts, top
from analytics_core.charts.sentences import Noun
from analytics_core.charts.timeline import Timeline
from analytics_core.charts.values import Chart, Kind, Role, Series, TabContent, Unit
from analytics_core.model.results import Comparison, StorageStats

FILES = Noun("file", "files")
_MEDIA_TYPES = {
    "application": "Documents and data",
    "audio": "Audio",
    "image": "Images",
    "model": "3D models",
    "text": "Text",
    "video": "Videos",
}
_HOW = "Upload a file, or choose a longer range."


def storage(comparison: Comparison, now: datetime) -> TabContent:
    timeline = Timeline.of(comparison, now)
    stats = comparison.current.storage
    before = comparison.previous.storage if comparison.previous else None
    cards = (
        card(
            "storage-stored",
            "Stored",
            Role.STORAGE,
            stats.stored_bytes,
            unit=Unit.BYTES,
            context=f"{FILES.counted(stats.stored_files)} at the end of the range",
            before=before.stored_bytes if before else None,
        ),
        card(
            "storage-uploaded",
            "Uploaded",
            Role.STORAGE,
            stats.uploaded_bytes,
            unit=Unit.BYTES,
            context=f"{FILES.counted(stats.uploaded_files)} in this range",
            before=before.uploaded_bytes if before else None,
        ),
        card(
            "storage-average",
            "Average per day",
            Role.STORAGE,
            stats.average_per_day,
            unit=Unit.BYTES,
            context="uploaded",
            before=before.average_per_day if before else None,
        ),
    )
    charts = (_stored(stats, before, timeline), _uploaded(stats, before, timeline), _media(stats))
    return TabContent("storage", "Storage", cards, charts)


def _stored(stats: StorageStats, before: StorageStats | None, timeline: Timeline) -> Chart:
    line = Series("stored", "Stored", Role.STORAGE, tuple(stats.stored_by_day))
    return level(
        "storage-stored-over-time",
        "Stored over time",
        line,
        before.stored_by_day if before else None,
        timeline,
        unit=Unit.BYTES,
        summary=_growth(stats),
        empty=f"What is stored would appear here. {_HOW}",
    )


def _growth(stats: StorageStats) -> str:
    """From the end of the first day to that of the last: the drawing shows no more."""
    if not any(stats.stored_by_day):
        return "Nothing was stored in this range."
    first, last = stats.stored_by_day[0], stats.stored_by_day[-1]
    held = f"{formats.size(last)} in {FILES.counted(stats.stored_files)}"
    if not last:
        return "All files were deleted by the end of the range."
    if len(stats.stored_by_day) == 1:
        return sentences.sentence(f"{held} at the end of the day")
    if formats.size(first) == formats.size(last):
        return sentences.sentence(f"{held} at the end, about as much as on the first day")
    verb = "grew" if last > first else "shrank"
    return sentences.sentence(f"storage {verb} from {formats.size(first)} to {held}")


def _uploaded(stats: StorageStats, before: StorageStats | None, timeline: Timeline) -> Chart:
    uploads = Amount(
        "uploaded",
        "Uploads",
        Role.STORAGE,
        Noun("upload", "uploads"),
        stats.uploaded_by_day,
        before.uploaded_by_day if before else None,
        Unit.BYTES,
    )
    return amounts(
        "storage-uploaded-by-day",
        f"Uploaded by {timeline.step.noun}",
        (uploads,),
        timeline,
        empty=f"Uploads would appear here. {_HOW}",
    )


def _media(stats: StorageStats) -> Chart:
    noun = Noun("uploaded file", "uploaded files")
    return parts(
        "storage-by-media-type",
        Kind.BARS,
        "Uploaded files by media type",
        top(stats.by_media_type),
        dimension="media type",
        role=Role.STORAGE,
        noun=noun,
        summary=sentences.leader(
            stats.by_media_type,
            noun,
            "fell under",
            lambda key: _MEDIA_TYPES.get(key, label(key)).lower(),
        ),
        empty=f"What kinds of files were uploaded would appear here. {_HOW}",
        labels=_MEDIA_TYPES,
    )
