"""What a question is asked of: a range of dates, or everything where that is nothing at all."""

from __future__ import annotations

from dataclasses import dataclass

from analytics_core.model.daterange import DateRange


@dataclass(frozen=True)
class Window:
    """A range as it was asked for: `dates` to compute over, and whether there is any record.

    Without a range and without a record there are no dates; today stands in, where nothing counts.
    """

    dates: DateRange
    is_empty: bool = False

    @property
    def days(self) -> int:
        """How many dates there are to divide by and to draw."""
        return 0 if self.is_empty else self.dates.days
