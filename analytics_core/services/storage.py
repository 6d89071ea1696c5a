"""What was uploaded, and what is stored."""

from __future__ import annotations

from itertools import accumulate

from analytics_core.dal.files import FileRepository
from analytics_core.model.results import StorageStats
from analytics_core.model.scope import Scope
from analytics_core.services.partition import by_day, open_partition, per_day
from analytics_core.services.window import Window


def storage_stats(repository: FileRepository, scope: Scope, window: Window) -> StorageStats:
    tallies = repository.tallies(scope, window.dates)
    created = [tally for tally in tallies if tally.event == "created"]
    deleted = [tally for tally in tallies if tally.event == "deleted"]
    uploaded = [tally for tally in created if tally.day]
    uploaded_bytes = sum(tally.bytes for tally in uploaded)
    arrivals = [(tally.day, tally.bytes) for tally in created]
    changes = arrivals + [(tally.day, -tally.bytes) for tally in deleted]
    before = sum(change for day, change in changes if not day)
    stored_by_day = list(accumulate(by_day(window.days, changes), initial=before))[1:]
    return StorageStats(
        uploaded_bytes=uploaded_bytes,
        uploaded_files=sum(tally.files for tally in uploaded),
        by_media_type=open_partition(
            ((tally.media_type or "").split("/")[0].strip().lower(), tally.files)
            for tally in uploaded
        ),
        stored_bytes=sum(change for _, change in changes),
        stored_files=sum(t.files for t in created) - sum(t.files for t in deleted),
        average_per_day=per_day(uploaded_bytes, window.days),
        uploaded_by_day=tuple(int(size) for size in by_day(window.days, arrivals)),
        stored_by_day=tuple(int(size) for size in stored_by_day),
    )
