"""Text is measured without a browser, and never as narrower than it will be."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from analytics_core.drawing import text

WORDS = st.text(max_size=60)


@given(WORDS, WORDS)
def test_longer_text_is_no_narrower(left, right):
    assert text.width(left + right, 12) >= text.width(left, 12)


@given(WORDS)
def test_bold_is_no_narrower(words):
    assert text.width(words, 12, bold=True) >= text.width(words, 12)


def test_digits_are_as_wide_as_in_the_widest_usual_font():
    assert text.width("1,598", 14) >= 14 * (4 * 0.636 + 0.318)


@given(st.text(min_size=1, max_size=80), st.integers(30, 400))
def test_what_is_fitted_fits(words, room):
    assert text.width(text.fitted(words, room, 14), 14) <= room


def test_what_fits_is_left_alone():
    assert text.fitted("GET /v1/account", 400, 14) == "GET /v1/account"


def test_a_route_keeps_its_method_and_its_end():
    route = "POST /v1/projects/{project_id}/renders/{render_id}/downloads"
    fitted = text.fitted(route, 160, 14)
    assert fitted.startswith("POST /v1")
    assert fitted.endswith("downloads")
    assert "…" in fitted


@given(st.lists(st.text("abcdefgh", min_size=1, max_size=9), max_size=30))
def test_wrapping_loses_no_word_and_keeps_lines_short(words):
    lines = text.wrapped(" ".join(words), 160, 14)
    assert " ".join(lines).split() == words
    assert all(text.width(line, 14) <= 160 for line in lines)
