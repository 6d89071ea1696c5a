"""How charts look: one layout for live figures and static drawings, and the drawings themselves."""

from __future__ import annotations

from analytics_core.drawing.layout import Layout, layout
from analytics_core.drawing.svg import draw, legend, responsive, sparkline

__all__ = ["Layout", "draw", "layout", "legend", "responsive", "sparkline"]
