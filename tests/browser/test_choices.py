"""What a visitor can choose, in one visit after the other, and that a link keeps it."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.dashboard import TABS, Visit, visit
from tests.support.serving import Server


@pytest.fixture(scope="module")
def seen(browser: Browser, server: Server) -> Iterator[Visit]:
    with visit(browser, server) as opened:
        yield opened


def query(seen: Visit) -> dict[str, str]:
    found: dict[str, str] = seen.page.evaluate(
        "Object.fromEntries(new URL(location.href).searchParams)"
    )
    return found


def test_nothing_a_user_is_called_runs_as_a_script(seen: Visit) -> None:
    assert seen.page.title() == "Usage"
    assert "onerror" in seen.page.locator(".who").inner_text()


@pytest.mark.parametrize(
    "period", ["7d", "90d", "this-month", "last-month", "this-year", "all", "30d"]
)
def test_every_preset_shows_its_own_days(seen: Visit, period: str) -> None:
    seen.page.locator(f'[data-period="{period}"]').click()
    seen.settle()
    expect(seen.page.locator(f'[data-period="{period}"]')).to_have_attribute("aria-pressed", "true")
    first, last = (
        seen.page.locator(f'input[name="{name}"]').input_value() for name in ("first", "last")
    )
    total = seen.stats("--from", first, "--to", last)["renders"]["total"]
    expect(seen.card("renders")).to_have_attribute("data-value", str(total))


def test_the_page_is_busy_from_a_choice_on_and_then_says_which_days_it_shows(seen: Visit) -> None:
    busy = seen.page.evaluate(
        """() => {
          document.querySelector('[data-period="last-month"]').click();
          return document.querySelector(".usage-page").ariaBusy;
        }"""
    )
    assert busy == "true"
    seen.settle()
    days = seen.page.locator(".range").inner_text()
    expect(seen.page.locator('.usage-page [role="status"]')).to_have_text(
        f"Numbers for {days} are shown."
    )


def ask_for(seen: Visit, first: str, last: str) -> None:
    """Enter days of one's own in the form for them, which is open."""
    for name, day in (("first", first), ("last", last)):
        seen.page.locator(f'input[name="{name}"]').fill(day)
    seen.page.get_by_role("button", name="Show these days").click()


def test_custom_days_are_checked_and_then_shown(seen: Visit) -> None:
    seen.page.locator('[data-period="custom"]').click()
    ask_for(seen, "2026-06-10", "2026-06-01")
    expect(seen.page.locator(".dates .wrong")).to_contain_text("before the first")
    ask_for(seen, "2026-06-10", "2026-06-20")
    expect(seen.page.locator(".range")).to_have_text("Jun 10 – Jun 20, 2026")
    assert query(seen)["range"] == "2026-06-10..2026-06-20"
    assert query(seen)["token"] == seen.server.token


def test_the_longest_range_that_can_be_entered_is_answered(seen: Visit) -> None:
    seen.page.locator('[data-period="custom"]').click()
    ask_for(seen, "2000-01-01", "2100-01-01")
    expect(seen.page.locator(".dates .wrong")).to_contain_text("2000 to 2099")
    ask_for(seen, "2000-01-01", "2099-12-31")
    expect(seen.page.locator(".range")).to_have_text("Jan 1, 2000 – Dec 31, 2099")
    seen.settle()


def test_comparing_sets_the_period_before_beside_every_card(seen: Visit, pictures: Path) -> None:
    seen.page.locator('[data-period="30d"]').click()
    seen.page.get_by_role("switch", name="Compare").check()
    expect(seen.page.locator(".usage-width > .usage-part .card[data-before]")).to_have_count(6)
    expect(seen.page.locator(".against")).to_contain_text("against ")
    expect(seen.panel.locator(".legend .dashed").first).to_contain_text("period before")
    seen.settle()
    dashed = seen.panel.locator('.bqplot .line[style*="dasharray: 10"]').first
    assert dashed.evaluate("(line) => line.getBoundingClientRect().width") > 100


def test_tabs_are_operated_with_the_keyboard(seen: Visit) -> None:
    seen.tab("Overview").focus()
    for key, name in (("ArrowRight", "Renders"), ("End", "Projects"), ("ArrowRight", "Overview")):
        seen.page.keyboard.press(key)
        expect(seen.tab(name)).to_be_focused()
        expect(seen.tab(name)).to_have_attribute("aria-selected", "true")
        expect(seen.panel).to_have_accessible_name(name)
    seen.settle()
    assert seen.page.get_by_role("tab").all_inner_texts() == list(TABS)


def test_one_tooltip_tells_all_series_by_pointer_and_by_keyboard(
    seen: Visit, pictures: Path
) -> None:
    panel = seen.panel.locator(".panel").first
    layer, tooltip = panel.get_by_role("slider"), panel.locator(".tooltip")
    box = layer.bounding_box()
    assert box is not None
    seen.page.mouse.move(box["x"] + 0.9 * box["width"], box["y"] + box["height"] / 2)
    expect(tooltip).to_be_visible()
    expect(tooltip.locator("dt")).to_have_count(panel.locator(".legend li").count())
    inside = tooltip.bounding_box()
    outer = panel.bounding_box()
    assert inside is not None
    assert outer is not None
    assert inside["x"] + inside["width"] <= outer["x"] + outer["width"]
    seen.page.screenshot(path=pictures / "tooltip-1440.png")
    seen.page.mouse.move(5, 5)
    layer.focus()
    seen.page.keyboard.press("Home")
    first = tooltip.locator("strong").inner_text()
    seen.page.keyboard.press("ArrowRight")
    assert tooltip.locator("strong").inner_text() != first
    assert re.search(r"Renders [\d,]+", layer.get_attribute("aria-valuetext") or "")
    seen.page.keyboard.press("Escape")
    expect(tooltip).to_be_hidden()


def test_every_chart_has_its_numbers_as_a_table(seen: Visit) -> None:
    panel = seen.panel.locator(".panel").first
    panel.get_by_role("button", name="as a table").click()
    table = panel.get_by_role("table")
    expect(table.locator("tbody tr")).to_have_count(30)
    added = sum(
        int(cell.replace(",", ""))
        for cell in table.locator("tbody tr td:nth-child(2)").all_inner_texts()
    )
    assert str(added) == seen.card("renders").get_attribute("data-value")
    panel.get_by_role("button", name="as a table").click()
    expect(table).to_be_hidden()


def test_downloads_hold_what_is_shown(seen: Visit) -> None:
    def download(what: str) -> tuple[str, bytes]:
        seen.page.get_by_role("button", name="Export").click()
        with seen.page.expect_download() as started:
            seen.page.locator(f'[data-download="{what}"]').click()
        return started.value.suggested_filename, Path(started.value.path()).read_bytes()

    renders = seen.card("renders").get_attribute("data-value")
    name, body = download("json")
    assert name.endswith(".json")
    assert str(json.loads(body)["renders"]["total"]) == renders
    name, body = download("daily")
    rows = list(csv.DictReader(body.decode().splitlines()))
    current = [row for row in rows if row.get("period", "current") == "current"]
    assert str(sum(int(row["renders_created"]) for row in current)) == renders
    assert download("xlsx")[1].startswith(b"PK")


def test_a_copied_link_opens_the_same_view(seen: Visit, browser: Browser) -> None:
    seen.page.get_by_role("switch", name="Compare").check()
    seen.open_tab("Storage")
    seen.page.locator('[data-period="90d"]').click()
    seen.page.locator("select.zone").select_option("America/New_York")
    expect(seen.page.locator(".card[data-key=renders]").first).to_be_visible()
    seen.page.wait_for_timeout(200)
    seen.settle()
    chosen = query(seen)
    assert {name: chosen[name] for name in ("tab", "range", "compare", "zone")} == {
        "tab": "storage",
        "range": "90d",
        "compare": "1",
        "zone": "America/New_York",
    }
    link = seen.page.url
    summary = ".usage-width > .usage-part > .cards .value"
    cards = seen.page.locator(summary).all_inner_texts()
    with visit(browser, seen.server, link.removeprefix(seen.server.link)) as again:
        assert again.page.url == link
        expect(again.tab("Storage")).to_have_attribute("aria-selected", "true")
        assert again.page.locator(summary).all_inner_texts() == cards


def test_automatic_refresh_is_the_visitors_choice(seen: Visit) -> None:
    seen.page.get_by_label("Refresh automatically").select_option("30")
    seen.page.wait_for_function("() => new URL(location.href).searchParams.get('refresh') === '30'")
    seen.page.get_by_label("Refresh automatically").select_option("0")
    seen.page.get_by_role("button", name="Refresh now").click()
    expect(seen.page.locator(".updated")).to_contain_text("ago", timeout=20_000)
