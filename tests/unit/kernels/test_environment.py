"""Which variables a kernel gets."""

from __future__ import annotations

from analytics_core.kernels.environment import for_anybody, for_visitors

ENVIRONMENT = {
    "PATH": "/usr/bin",
    "LANG": "C.UTF-8",
    "PYTHONPATH": "/somewhere",
    "PGSSLROOTCERT": "/root.crt",
    "ANALYTICS_DATABASE_URL": "sqlite:///a.db",
    "ANALYTICS_GRANT": "user:mara",
    "ANALYTICS_COLLECTOR_KEY": "secret",
    "ANALYTICS_A_KEY_TO_COME": "secret",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "OWN": "an analyst's",
}


def test_a_visitors_kernel_gets_what_is_needed_to_run_and_to_read() -> None:
    assert for_visitors(ENVIRONMENT).keys() == {
        "PATH", "LANG", "PYTHONPATH", "PGSSLROOTCERT", "ANALYTICS_DATABASE_URL",
    }  # fmt: skip


def test_an_analysts_kernel_keeps_their_own_and_gets_no_key_of_ours() -> None:
    kept = for_anybody(ENVIRONMENT)
    assert kept.keys() == ENVIRONMENT.keys() - {
        "ANALYTICS_COLLECTOR_KEY", "ANALYTICS_A_KEY_TO_COME",
    }  # fmt: skip
