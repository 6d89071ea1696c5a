"""Values outside the vocabularies: refused from us, counted as `unspecified` from others."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from analytics_core import Scope, Settings, Workspace
from analytics_core.errors import VocabularyError
from tests.support import rows
from tests.support.rows import execute, insert

AT = datetime(2026, 10, 5, 12, tzinfo=UTC)


@pytest.fixture
def url(workspace_url: str) -> str:
    insert(
        workspace_url,
        [
            rows.user("mara"),
            rows.project("mara", AT),
            rows.render("mara", AT),
            rows.render("mara", AT),
            rows.transaction("mara", AT, amount=5),
            rows.activity("mara", AT),
            rows.file("mara", AT),
        ],
    )
    return workspace_url


def answer(url: str) -> dict[str, Any]:
    with Workspace.open(Settings.read(database_url=url), Scope.everyone()) as workspace:
        return workspace.get_analytics_data("mara", "2026-10").to_dict()


@pytest.mark.parametrize(
    ("record", "field"),
    [
        *((rows.render, name) for name in ("type", "status", "quality", "platform")),
        *((rows.project, name) for name in ("status", "platform")),
        *((rows.transaction, name) for name in ("kind", "category")),
        (rows.activity, "event"),
    ],
)
def test_a_value_of_no_vocabulary_is_never_written(url: str, record: Any, field: str) -> None:
    with pytest.raises(VocabularyError, match="cannot be 'nonsense'; it is one of"):
        insert(url, [record("mara", AT, **{field: "nonsense"})])


def test_no_amount_of_nothing_or_less_is_written(url: str) -> None:
    with pytest.raises(Exception, match="amount_is_positive"):
        insert(url, [rows.transaction("mara", AT, amount=0)])


@pytest.mark.parametrize("value", ["hologram", "", "IMAGE", "' OR 1=1 --"])
def test_what_others_wrote_is_counted_as_unspecified(url: str, value: str) -> None:
    quoted = value.replace("'", "''")
    execute(
        url,
        f"UPDATE renders SET type = '{quoted}', status = '{quoted}', quality = '{quoted}'",
        f"UPDATE projects SET status = '{quoted}', platform = '{quoted}'",
        f"UPDATE credit_transactions SET category = '{quoted}'",
        f"UPDATE account_activity SET event = '{quoted}'",
    )
    found = answer(url)
    assert found["renders"]["by_type"] == {"image": 0, "video": 0, "unspecified": 2}
    assert found["renders"]["by_status"]["unspecified"] == found["renders"]["total"] == 2
    assert found["renders"]["by_quality"]["unspecified"] == 2
    assert found["renders"]["success_rate"] is None
    assert found["projects"]["by_status"]["unspecified"] == 1
    assert found["projects"]["by_platform"]["unspecified"] == 1
    assert found["credits"]["by_category"]["unspecified"] == found["credits"]["spent"] == 5
    assert found["activity"]["logins"] == 0


def test_a_platform_nobody_knows_is_the_web(url: str) -> None:
    execute(url, "UPDATE renders SET platform = 'hologram'")
    platforms = answer(url)["renders"]["by_platform"]
    assert platforms == {"web": 2, "tools": 0, "canvas": 0, "plugin": 0}


def test_only_a_source_platform_makes_a_render_one_of_a_plugin(url: str) -> None:
    execute(url, "UPDATE renders SET platform = 'plugin'")
    platforms = answer(url)["renders"]["by_platform"]
    assert platforms == {"web": 2, "tools": 0, "canvas": 0, "plugin": 0}


def test_a_transaction_of_no_known_kind_moves_no_credits(url: str) -> None:
    execute(url, "UPDATE credit_transactions SET kind = 'gift'")
    credits_ = answer(url)["credits"]
    assert (credits_["spent"], credits_["earned"], credits_["balance"]) == (0, 0, 0)
    assert sum(credits_["by_category"].values()) == 0


@pytest.mark.parametrize(
    ("media_type", "member"),
    [("image/png", "image"), ("IMAGE/PNG", "image"), ("", "unspecified"), ("text", "text")],
)
def test_a_file_counts_under_its_top_level_type(url: str, media_type: str, member: str) -> None:
    execute(url, f"UPDATE files SET media_type = '{media_type}'")
    assert answer(url)["storage"]["by_media_type"] == {member: 1}
