"""How wide text will be, without a browser: never less than in the widest usual system font."""

from __future__ import annotations

import unicodedata
from functools import lru_cache

ELLIPSIS = "…"

# Advance widths of DejaVu Sans, rounded up, in hundredths of an em, from the space on. It is wider
# than Segoe UI, Roboto, San Francisco and Arial in nearly every letter.
_ASCII = (
    "32 41 46 84 64 96 78 28 40 40 50 84 32 37 32 34 "
    "64 64 64 64 64 64 64 64 64 64 34 34 84 84 84 54 "
    "100 69 69 70 78 64 58 78 76 30 30 66 56 87 75 79 "
    "61 79 70 64 62 74 69 99 69 62 69 40 34 40 84 50 "
    "50 62 64 55 64 62 36 64 64 28 28 58 28 98 64 62 64 64 42 53 40 64 60 82 60 60 53 64 34 64 84"
)
_WIDTHS = {chr(32 + n): int(width) / 100 for n, width in enumerate(_ASCII.split())}
_WIDTHS |= {"–": 0.5, "·": 0.32, "−": 0.84, ELLIPSIS: 1.0}
_UNKNOWN = 1.2


@lru_cache(maxsize=4096)
def width(text: str, size: float, *, bold: bool = False) -> float:
    """The width of a line of text, in pixels, at a font size in pixels."""
    ems = sum(map(_width, text))
    if bold:
        ems = ems * 1.13 + 0.035 * len(text)
    return ems * size


def _width(character: str) -> float:
    known = _WIDTHS.get(character)
    if known is not None:
        return known
    return 0.0 if unicodedata.combining(character) else _UNKNOWN


@lru_cache(maxsize=1024)
def fitted(text: str, room: float, size: float) -> str:
    """The text, or as much of its start and end as fits: routes differ at both."""
    if width(text, size) <= room:
        return text
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        if width(_shortened(text, middle), size) <= room:
            low = middle
        else:
            high = middle - 1
    return _shortened(text, low)


def _shortened(text: str, keep: int) -> str:
    tail = keep // 2
    return f"{text[: keep - tail].rstrip()}{ELLIPSIS}{text[len(text) - tail :].lstrip()}"


def wrapped(text: str, room: float, size: float) -> list[str]:
    """The text in lines that fit, broken between words."""
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and width(longer, size) <= room:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines
