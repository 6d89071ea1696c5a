"""The colours of everything, light and dark, and the CSS custom properties that carry them."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from analytics_core.charts.values import Role

FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif'


class Theme(StrEnum):
    """`AUTO` leaves the choice to the page that a drawing stands in, through custom properties."""

    AUTO = "auto"
    LIGHT = "light"
    DARK = "dark"


class Shade(NamedTuple):
    light: str
    dark: str


# Each name is also that of a custom property: `renders` is `--renders`.
SHADES: dict[str, Shade] = {
    "background": Shade("#f6f7f9", "#0f141b"),
    "surface": Shade("#ffffff", "#171e28"),
    "ink": Shade("#16202e", "#e8edf4"),
    "muted": Shade("#5b6778", "#9aa7b8"),
    "faint": Shade("#6b7686", "#8b97a8"),
    "line": Shade("#e4e8ee", "#263040"),
    "sunken": Shade("#eef1f5", "#202936"),
    "good": Shade("#067a4b", "#4fd69c"),
    "bad": Shade("#b42318", "#ff8f85"),
    Role.RENDERS: Shade("#2f6fed", "#6ea0ff"),
    Role.CREDITS: Shade("#d9731f", "#f2a35e"),
    Role.API: Shade("#0f9b8e", "#3cc9ba"),
    Role.STORAGE: Shade("#7a5ad6", "#a890f5"),
    Role.PROJECTS: Shade("#b5831b", "#e0b75a"),
    Role.ACCOUNT: Shade("#c2477f", "#ee86b4"),
    Role.BEFORE: Shade("#5b6778", "#9aa7b8"),
}

# How strongly the slices of a pie take their one colour, from the first slice on.
SLICES = (1.0, 0.5, 0.25)


def paint(name: str, theme: Theme = Theme.AUTO) -> str:
    """A colour as CSS: a custom property with its light shade to fall back on, or a plain shade."""
    shade = SHADES[name]
    match theme:
        case Theme.AUTO:
            return f"var(--{name}, {shade.light})"
        case Theme.LIGHT:
            return shade.light
        case Theme.DARK:
            return shade.dark


def declarations(theme: Theme) -> str:
    """The custom properties of a theme, to stand within a CSS rule."""
    dark = theme is Theme.DARK
    return "".join(
        f"--{name}:{shade.dark if dark else shade.light};" for name, shade in SHADES.items()
    )


def css(theme: Theme = Theme.AUTO) -> str:
    """Rules that set the properties on the root; `AUTO` follows the reader's preference."""
    if theme is not Theme.AUTO:
        return f":root{{color-scheme:{theme};{declarations(theme)}}}"
    dark = f":root{{{declarations(Theme.DARK)}}}"
    return (
        f":root{{color-scheme:light dark;{declarations(Theme.LIGHT)}}}"
        f"@media (prefers-color-scheme:dark){{{dark}}}"
    )
