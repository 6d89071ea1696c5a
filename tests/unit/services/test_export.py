"""Exported files hold the numbers of the page, in full, and nothing that a spreadsheet executes."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace

import openpyxl
import pandas as pd
import pytest

from analytics_core.model.results import Comparison
from analytics_core.services.export import FileFormat, Part, to_bytes, to_csv, to_frame, to_json
from tests.support.three_days import statistics

SAMPLE = Comparison(statistics())
COMPARED = Comparison(statistics(), previous=statistics())


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def with_platform(name: str) -> Comparison:
    sample = statistics()
    return Comparison(replace(sample, api=replace(sample.api, by_platform={name: 1})))


def test_the_daily_series_is_a_row_per_date() -> None:
    first, _, last = rows(to_csv(to_frame(SAMPLE, Part.DAILY)))
    assert first == {
        "date": "2026-10-01",
        "renders_created": "1",
        "credits_spent": "2.5",
        "api_calls": "1",
        "storage_used": "1000000",
    }
    assert last["date"] == "2026-10-03"


def test_every_number_of_the_machine_readable_form_is_in_the_csv_of_all() -> None:
    facts = {
        (row["section"], row["measure"], row["member"]): row["value"] or row["text"]
        for row in rows(to_bytes(SAMPLE, Part.ALL, FileFormat.CSV).decode())
    }
    assert facts["renders", "total", ""] == "6"
    assert facts["renders", "average_processing_time", ""] == "12.25"
    assert facts["renders", "by_quality", "unspecified"] == "1"
    assert facts["credits", "average_per_day", ""] == repr(12.5 / 3)
    assert facts["api", "source", ""] == "recorded"
    assert facts["api", "latency_ms", "p95"] == "480.5"
    assert facts["activity", "last_login_at", ""] == "2026-10-03T09:06:32.985Z"
    assert facts["daily", "storage_used", "2026-10-03"] == "2000000"
    answers = SAMPLE.current.to_dict()
    of_sections = sum(
        len(answer) if isinstance(answer, dict) else 1
        for section, measures in answers.items()
        if section not in ("range", "daily")
        for answer in measures.values()
    )
    assert len(facts) == of_sections + 4 * 3


def test_what_has_no_value_stays_empty() -> None:
    sample = statistics()
    none = Comparison(replace(sample, renders=replace(sample.renders, success_rate=None)))
    [row] = [
        r for r in rows(to_csv(to_frame(none, Part.RENDERS))) if r["measure"] == "success_rate"
    ]
    assert (row["value"], row["text"]) == ("", "")


def test_the_period_before_follows_in_the_same_columns() -> None:
    found = rows(to_csv(to_frame(COMPARED, Part.DAILY)))
    assert [row["period"] for row in found] == ["current"] * 3 + ["previous"] * 3


def test_json_of_everything_is_the_machine_readable_form() -> None:
    assert json.loads(to_json(COMPARED)) == COMPARED.to_dict()


def test_json_of_one_part_says_of_which_range() -> None:
    document = json.loads(to_json(SAMPLE, Part.CREDITS))
    assert set(document) == {"range", "credits"}
    assert document["range"]["to"] == "2026-10-03"


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n"])
def test_text_that_a_spreadsheet_would_execute_is_defused_in_csv(start: str) -> None:
    hostile = f"{start}HYPERLINK(1)"
    text = to_csv(to_frame(with_platform(hostile), Part.API))
    assert f"'{hostile}" in [row["member"] for row in rows(text)]


def test_column_names_are_defused_too() -> None:
    assert to_csv(pd.DataFrame({"=1+1": [1]})).startswith("'=1+1\r\n")


def test_a_negative_number_stays_a_number() -> None:
    assert to_csv(pd.DataFrame({"net": [-5, 3]})) == "net\r\n-5\r\n3\r\n"


@pytest.mark.parametrize("line_end", ["\r", "\n", "\r\n"])
def test_a_line_end_inside_a_text_starts_no_row(line_end: str) -> None:
    text = to_csv(pd.DataFrame({"platform": [f"revit{line_end}=1+1"], "calls": [1]}))
    assert rows(text) == [{"platform": f"revit{line_end}=1+1", "calls": "1"}]


def test_a_workbook_has_a_sheet_per_part_and_no_formula() -> None:
    content = to_bytes(with_platform("=1+1"), Part.ALL, FileFormat.XLSX)
    book = openpyxl.load_workbook(io.BytesIO(content))
    assert book.sheetnames == [
        "daily", "renders", "credits", "api", "storage", "projects", "activity",
    ]  # fmt: skip
    cells = [cell for sheet in book for row in sheet.iter_rows() for cell in row]
    assert not [cell for cell in cells if cell.data_type == "f"]
    assert "'=1+1" in [cell.value for cell in cells]


def test_a_workbook_keeps_numbers_and_dates_as_such() -> None:
    book = openpyxl.load_workbook(io.BytesIO(to_bytes(SAMPLE, Part.DAILY, FileFormat.XLSX)))
    day, renders, credits_spent, *_ = next(book["daily"].iter_rows(min_row=2, values_only=True))
    assert (str(day), renders, credits_spent) == ("2026-10-01 00:00:00", 1, 2.5)


def test_a_workbook_survives_control_characters() -> None:
    content = to_bytes(with_platform("sketch\x00up"), Part.API, FileFormat.XLSX)
    sheet = openpyxl.load_workbook(io.BytesIO(content))["api"]
    assert "sketch\ufffdup" in [cell.value for row in sheet.iter_rows() for cell in row]


@pytest.mark.parametrize("part", list(Part))
def test_parquet_gives_the_same_frame_back(part: Part) -> None:
    read = pd.read_parquet(io.BytesIO(to_bytes(SAMPLE, part, FileFormat.PARQUET)))
    pd.testing.assert_frame_equal(read, to_frame(SAMPLE, part))


def test_the_frame_that_is_written_is_not_changed() -> None:
    frame = pd.DataFrame({"platform": ["=1+1"]})
    to_csv(frame)
    assert frame["platform"].tolist() == ["=1+1"]
