"""Statistics as files: CSV, JSON, XLSX and Parquet with the numbers of `Comparison`, not rounded.

The daily series is a row per date. Everything else is a row per fact (`section`, `measure`,
`member`, `value`, `text`), so that a file keeps its columns whatever a user happened to do. The
period before, where there is one, follows in the same columns, told apart by a first one, `period`.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeAlias

from analytics_core.model.results import Comparison, Statistics

if TYPE_CHECKING:
    import pandas as pd

Fact: TypeAlias = tuple[str, str, str, float | None, str | None]

# What a spreadsheet may take for a formula when it opens a text file (OWASP, "CSV Injection").
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")


class Part(StrEnum):
    """What of the statistics to export; `ALL` is every other one."""

    DAILY = "daily"
    RENDERS = "renders"
    CREDITS = "credits"
    API = "api"
    STORAGE = "storage"
    PROJECTS = "projects"
    ACTIVITY = "activity"
    ALL = "all"


class FileFormat(StrEnum):
    CSV = "csv"
    JSON = "json"
    XLSX = "xlsx"
    PARQUET = "parquet"


SECTIONS = tuple(part for part in Part if part not in (Part.DAILY, Part.ALL))


def to_bytes(comparison: Comparison, part: Part, file_format: FileFormat) -> bytes:
    """The content of a file with this part of the statistics; text is UTF-8."""
    match file_format:
        case FileFormat.CSV:
            return to_csv(to_frame(comparison, part)).encode()
        case FileFormat.JSON:
            return to_json(comparison, part).encode()
        case FileFormat.XLSX:
            parts = [Part.DAILY, *SECTIONS] if part is Part.ALL else [part]
            return to_xlsx({name.value: to_frame(comparison, name) for name in parts})
        case FileFormat.PARQUET:
            file = io.BytesIO()
            to_frame(comparison, part).to_parquet(file, engine="pyarrow", index=False)
            return file.getvalue()


def to_json(comparison: Comparison, part: Part = Part.ALL) -> str:
    """The machine-readable form, or the range and one part of it."""

    def chosen(answers: dict[str, Any]) -> dict[str, Any]:
        return answers if part is Part.ALL else {"range": answers["range"], part: answers[part]}

    document = chosen(comparison.current.to_dict())
    if comparison.previous is not None:
        document["previous"] = chosen(comparison.previous.to_dict())
    return json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def to_csv(frame: pd.DataFrame) -> str:
    """A frame as CSV, formulas defused; an index is written where it has a name."""
    # RFC 4180's line ends. With "\n" alone Python leaves a "\r" inside a text unquoted, and what
    # follows it would start a row of its own.
    return _defused(frame).to_csv(index=False, float_format=_number_text, lineterminator="\r\n")


def to_xlsx(sheets: Mapping[str, pd.DataFrame]) -> bytes:
    """A workbook with a sheet per frame, its first row frozen, formulas defused."""
    import pandas as pd

    file = io.BytesIO()
    with pd.ExcelWriter(file, engine="openpyxl", datetime_format="yyyy-mm-dd") as book:
        for name, frame in sheets.items():
            _storable(_defused(frame)).to_excel(
                book, sheet_name=name, index=False, freeze_panes=(1, 0)
            )
    return file.getvalue()


def to_frame(comparison: Comparison, part: Part) -> pd.DataFrame:
    """One part as a frame: a row per date for `DAILY`, a row per fact for every other."""
    import pandas as pd

    current = _frame(comparison.current, part)
    if comparison.previous is None:
        return current
    periods = {"current": current, "previous": _frame(comparison.previous, part)}
    for name, frame in periods.items():
        frame.insert(0, "period", name)
    return pd.concat(periods.values(), ignore_index=True)


def _frame(statistics: Statistics, part: Part) -> pd.DataFrame:
    if part is Part.DAILY:
        return statistics.to_frame().reset_index()
    import pandas as pd

    answers = statistics.to_dict()
    facts = [fact for section in SECTIONS if part in (section, Part.ALL)
             for fact in _facts(section, answers[section])]  # fmt: skip
    if part is Part.ALL:
        facts += _daily_facts(answers["daily"])
    frame = pd.DataFrame(facts, columns=["section", "measure", "member", "value", "text"])
    # Said outright, because a column without a single value would lose its type in Parquet.
    return frame.astype(
        {"section": "str", "measure": "str", "member": "str", "value": "float64", "text": "str"}
    )


def _facts(section: str, answers: Mapping[str, Any]) -> Iterator[Fact]:
    for measure, answer in answers.items():
        members = answer if isinstance(answer, Mapping) else {"": answer}
        for member, value in members.items():
            text = str(value) if isinstance(value, str) else None
            yield section, measure, member, None if text is not None else value, text


def _daily_facts(days: list[dict[str, Any]]) -> Iterator[Fact]:
    for day in days:
        for measure, value in day.items():
            if measure != "date":
                yield Part.DAILY, measure, day["date"], value, None


def _defused(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with its named index as columns and no text that a spreadsheet would execute."""
    import pandas as pd
    from pandas.api.types import is_datetime64_any_dtype, is_numeric_dtype

    if any(name is not None for name in frame.index.names):
        frame = frame.reset_index()
    plain = {
        name: column
        if is_numeric_dtype(column) or is_datetime64_any_dtype(column)
        else column.astype(object).map(_defuse, na_action="ignore")
        for name, column in frame.items()
    }
    return pd.DataFrame(plain, index=frame.index).rename(columns=_defuse)


def _defuse(value: Any) -> Any:
    if isinstance(value, str) and value.startswith(_FORMULA_STARTS):
        return f"'{value}"
    return value


def _storable(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame without the control characters that XML, and so XLSX, cannot hold."""
    from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

    def clean(value: Any) -> Any:
        return ILLEGAL_CHARACTERS_RE.sub("\ufffd", value) if isinstance(value, str) else value

    return frame.map(clean).rename(columns=clean)


def _number_text(value: Any) -> str:
    """A count as people write it (44, not 44.0); anything else in full."""
    return str(int(value)) if value.is_integer() else repr(float(value))
