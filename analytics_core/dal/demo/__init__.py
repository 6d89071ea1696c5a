"""Invented but plausible data: the same seed and the same moment always give the same rows."""

from analytics_core.dal.demo.loading import load
from analytics_core.dal.demo.shape import DemoShape

__all__ = ["DemoShape", "load"]
