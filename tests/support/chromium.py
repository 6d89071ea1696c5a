"""Debian's Chromium as tests and benchmarks start it: without a word to anybody outside."""

from __future__ import annotations

# Chromium obeys the last such list only: this is Playwright's own, and the two lists below the
# address bar, which are pages of the browser itself. Each window has them; nobody sees them without
# a screen, and they take as much of a processor as the page that is looked at.
_FEATURES_OFF = (
    *("AimEnabled", "AvoidCorsURLLoaderRestartOnRedirect", "AvoidUnnecessaryBeforeUnloadCheckSync"),
    *("DestroyProfileOnBrowserClose", "HttpsFirstBalancedModeAutoEnable", "HttpsUpgrades"),
    *("LensOverlay", "MediaRouter", "NetworkTimeServiceQuerying", "OptimizationHints"),
    *("PaintHolding", "PreconnectToSearch", "ThirdPartyStoragePartitioning"),
    *("WebUIOmniboxPopup", "WebUIOmniboxAimPopup"),
)
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--no-first-run",
    f"--disable-features={','.join(_FEATURES_OFF)}",
)
