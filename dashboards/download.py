"""What is shown, as a file for the visitor."""

from __future__ import annotations

from analytics_core.model.results import Comparison
from analytics_core.services.export import FileFormat, Part, to_bytes

_PART_OF_TAB = {
    "overview": Part.DAILY,
    "renders": Part.RENDERS,
    "credits": Part.CREDITS,
    "api": Part.API,
    "storage": Part.STORAGE,
    "projects": Part.PROJECTS,
}
_MIME = {
    FileFormat.CSV: "text/csv;charset=utf-8",
    FileFormat.JSON: "application/json",
    FileFormat.XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


def download(what: str, tab: str, shown: Comparison) -> tuple[str, str, bytes] | None:
    """Name, media type and content of a file; None for what nobody offers.

    `what` is `tab` (this tab's numbers as CSV), `daily` (a row per day as CSV), `json` or `xlsx`
    (everything). The content is that of `analytics export`.
    """
    match what:
        case "tab" if tab in _PART_OF_TAB:
            part, file_format = _PART_OF_TAB[tab], FileFormat.CSV
        case "daily":
            part, file_format = Part.DAILY, FileFormat.CSV
        case "json" | "xlsx":
            part, file_format = Part.ALL, FileFormat(what)
        case _:
            return None
    dates = shown.current.range
    days = f"-{dates.first}-{dates.last}" if dates else ""
    subject = "" if part is Part.ALL else f"-{part.value}"
    name = f"usage{subject}{days}.{file_format.value}"
    return name, _MIME[file_format], to_bytes(shown, part, file_format)
