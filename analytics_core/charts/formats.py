"""Numbers, sizes, times and dates as people write them."""

from __future__ import annotations

from datetime import date, datetime

from analytics_core.charts.values import Number, Unit
from analytics_core.model.daterange import DateRange

MISSING = "–"
_MINUS = "\u2212"
_THOUSANDS = ("", "k", "M", "B", "T")
_BYTES = ("B", "kB", "MB", "GB", "TB", "PB", "EB")
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
# Not strftime: its names follow the process's locale.
MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)


def fixed(value: Number, decimals: int) -> str:
    """A number with thousands separated and at most `decimals` decimals: `1,598`, `69.5`, `−3`."""
    text = f"{abs(value):,.{decimals}f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return f"{_MINUS}{text}" if value < 0 and text.strip("0.,") else text


def count(value: Number) -> str:
    """A number of things or an average of it: `1,598`, `69.5`, `0.04`."""
    size = abs(value)
    if isinstance(value, int) or size >= 1000:
        return fixed(value, 0)
    if size >= 0.1 or size == 0:
        return fixed(value, 1)
    return fixed(value, 2) if size >= 0.01 else f"{_MINUS if value < 0 else ''}<0.01"


def compact(value: Number) -> str:
    """A number where there is little room: `9,800`, `12.3k`, `1.2M`."""
    if abs(value) < 10_000:
        return count(value)
    if abs(value) >= 1e15:
        return f"{value:.0e}"
    scaled, suffix = _scaled(value, _THOUSANDS)
    return f"{fixed(scaled, 1 if abs(scaled) < 100 else 0)}{suffix}"


def size(value: Number) -> str:
    """A number of bytes in powers of 1000: `4.2 GB`, `812 kB`, `0 B`."""
    scaled, unit = _scaled(value, _BYTES)
    return f"{fixed(scaled, 1 if unit != 'B' and abs(scaled) < 100 else 0)} {unit}"


def _scaled(value: Number, units: tuple[str, ...]) -> tuple[float, str]:
    """The value in the largest of these powers of 1000 in which it does not round up to 1,000."""
    scaled = float(value)
    for unit in units[:-1]:
        if abs(scaled) < 999.5:
            return scaled, unit
        scaled /= 1000
    return scaled, units[-1]


def seconds(value: Number) -> str:
    """A duration: `0.42 s`, `46.7 s`, `2 min 5 s`, `3 h 20 min`, `2 d 4 h`."""
    if value < 0:
        return _MINUS + seconds(-value)
    if 0 < value < 0.01:
        return "<0.01 s"
    if value < 59.95:
        return f"{fixed(value, 1 if value >= 1 else 2)} s"
    if round(value) < 3600:
        return _two(round(value), 60, "min", "s")
    if round(value / 60) < 1440:
        return _two(round(value / 60), 60, "h", "min")
    return _two(round(value / 3600), 24, "d", "h")


def _two(amount: int, divisor: int, large: str, small: str) -> str:
    whole, rest = divmod(amount, divisor)
    return f"{whole:,} {large} {rest} {small}" if rest else f"{whole:,} {large}"


def milliseconds(value: Number) -> str:
    """A short duration: `8.4 ms`, `182 ms`, and from a second on as seconds."""
    if abs(value) >= 999.5:
        return seconds(value / 1000)
    return f"{fixed(value, 1 if abs(value) < 10 else 0)} ms"


def percent(value: Number) -> str:
    """A share, in percent: `96.4%`; `100%` and `0%` only where it is exactly that."""
    if 99.95 <= value < 100:
        return "99.9%"
    if 0 < value < 0.05:
        return "<0.1%"
    return f"{fixed(value, 1)}%"


def text(value: Number | None, unit: Unit) -> str:
    """A value with its unit; a dash where there is none. Credits and counts are bare numbers."""
    if value is None:
        return MISSING
    match unit:
        case Unit.COUNT | Unit.CREDITS:
            return count(value)
        case Unit.BYTES:
            return size(value)
        case Unit.SECONDS:
            return seconds(value)
        case Unit.MILLISECONDS:
            return milliseconds(value)
        case Unit.PERCENT:
            return percent(value)


def difference(value: Number, before: Number, unit: Unit) -> str:
    """How far a value is from that before, signed: `+0.6 GB`, `−4`, `+1.2 points`, `0`."""
    delta = value - before
    if unit is Unit.PERCENT:
        points = fixed(delta, 1)
        return _signed(f"{points} {'point' if points.strip(_MINUS) == '1' else 'points'}")
    return _signed(text(delta, unit))


def percent_change(change: float) -> str:
    """A relative change, in percent, signed: `+18.2%`, `−4%`, `+1,240%`, `0%`."""
    if 0 < abs(change) < 0.05:
        return _signed(f"{_MINUS if change < 0 else ''}<0.1%")
    return f"{_signed(fixed(change, 1 if abs(change) < 100 else 0))}%"


def _signed(formatted: str) -> str:
    if formatted.split(" ")[0] == "0":
        return "0"
    return formatted if formatted.startswith(_MINUS) else f"+{formatted}"


def day(when: date, *, year: bool = False) -> str:
    """A date: `Oct 1`, with its year `Oct 1, 2026`."""
    short = f"{MONTHS[when.month - 1][:3]} {when.day}"
    return f"{short}, {when.year}" if year else short


def full_day(when: date) -> str:
    """A date with its weekday, as in a tooltip: `Fri, Oct 23, 2026`."""
    return f"{_DAYS[when.weekday()]}, {day(when, year=True)}"


def days(first: date, last: date, *, year: bool = True) -> str:
    """A range of dates: `Oct 1 – Oct 31, 2026`; years on both sides where they differ."""
    if first == last:
        return day(first, year=year)
    if first.year != last.year:
        return f"{day(first, year=True)} – {day(last, year=True)}"
    return f"{day(first)} – {day(last, year=year)}"


def date_range(dates: DateRange, *, year: bool = True) -> str:
    """The dates of a range, as `days` writes them."""
    return days(dates.first, dates.last, year=year)


def month(when: date) -> str:
    """A month: `October 2026`."""
    return f"{MONTHS[when.month - 1]} {when.year}"


def ago(then: datetime, now: datetime) -> str:
    """How long ago something was: `just now`, `5 min ago`, `2 h ago`, `3 days ago`."""
    minutes = (now - then).total_seconds() / 60
    if minutes < 1:
        return "just now"
    if minutes < 60:
        return f"{int(minutes)} min ago"
    if minutes < 24 * 60:
        return f"{int(minutes / 60)} h ago"
    elapsed = int(minutes / (24 * 60))
    for length, name in ((365, "year"), (30, "month"), (1, "day")):
        if elapsed >= length:
            amount = elapsed // length
            return f"{amount:,} {name}{'' if amount == 1 else 's'} ago"
    raise AssertionError("a day or more was left")
