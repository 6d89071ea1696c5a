"""`python -m analytics_core.cli`: the command line where the script is not on the path."""

from __future__ import annotations

from analytics_core.cli import main

main()
