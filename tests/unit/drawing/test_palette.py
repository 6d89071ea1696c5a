"""Colours, light and dark, under one name each."""

from __future__ import annotations

import re

import pytest

from analytics_core.charts.values import Role
from analytics_core.drawing.palette import SHADES, Theme, css, declarations, paint


@pytest.mark.parametrize("role", Role)
def test_every_role_has_a_colour_in_both_themes(role):
    assert paint(role, Theme.LIGHT) != paint(role, Theme.DARK)
    assert paint(role) == f"var(--{role}, {paint(role, Theme.LIGHT)})"


@pytest.mark.parametrize("theme", [Theme.LIGHT, Theme.DARK])
def test_a_theme_declares_every_name(theme):
    assert re.findall(r"--([a-z]+):#[0-9a-f]{6};", declarations(theme)) == list(SHADES)


def test_left_to_the_reader_dark_follows_their_preference():
    light, dark = css().split("@media (prefers-color-scheme:dark)")
    assert declarations(Theme.LIGHT) in light
    assert declarations(Theme.DARK) in dark


def contrast(first: str, second: str) -> float:
    """WCAG 2.2, relative luminance and contrast ratio."""

    def luminance(color: str) -> float:
        parts = [int(color[n : n + 2], 16) / 255 for n in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted([luminance(first), luminance(second)])
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", [Theme.LIGHT, Theme.DARK])
def test_text_and_marks_stand_out_from_the_surface(theme):
    surface = paint("surface", theme)
    assert contrast(paint("ink", theme), surface) >= 7
    assert contrast(paint("muted", theme), surface) >= 4.5
    assert all(contrast(paint(role, theme), surface) >= 3 for role in Role)
