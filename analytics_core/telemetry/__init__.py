"""Recording of usage by the product itself, while it happens.

`record_render_creation` is the one call a product needs; it finds the database by the same settings
as everything else (ANALYTICS_DATABASE_URL). A product that keeps several databases, or opens and
closes them itself, makes a `UsageRecorder` for each.
"""

from analytics_core.telemetry.recorder import Recorder
from analytics_core.telemetry.recording import UsageRecorder, record_render_creation

__all__ = ["Recorder", "UsageRecorder", "record_render_creation"]
