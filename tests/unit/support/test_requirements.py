"""Something that is missing skips a test on a developer's machine and fails it on CI."""

from __future__ import annotations

import pytest

from tests.support.requirements import missing


@pytest.mark.parametrize("said", ["", "0", "false"])
def test_a_developer_may_lack_something(monkeypatch: pytest.MonkeyPatch, said: str) -> None:
    monkeypatch.setenv("CI", said)
    with pytest.raises(pytest.skip.Exception, match=r"^A browser is missing: install one$"):
        missing("A browser", "install one")


@pytest.mark.parametrize("said", ["1", "true"])
def test_continuous_integration_may_not(monkeypatch: pytest.MonkeyPatch, said: str) -> None:
    monkeypatch.setenv("CI", said)
    with pytest.raises(pytest.fail.Exception, match=r"^A browser is missing: install one"):
        missing("A browser", "install one")
