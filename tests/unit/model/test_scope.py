"""Whose data a read may see, and how that is handed on."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics_core.errors import ScopeError
from analytics_core.model.scope import Scope

# Any text at all: quotes, line ends, NUL, half surrogates.
ids = st.text(st.characters(exclude_categories=()), min_size=1)
scopes = st.builds(Scope.team, st.sets(ids, min_size=1)) | st.just(Scope.everyone())


@given(scopes)
def test_a_scope_as_text_is_read_back(scope: Scope) -> None:
    assert Scope.from_text(scope.to_text()) == scope


@given(scopes)
def test_a_scope_as_text_fits_an_environment_variable(scope: Scope) -> None:
    text = scope.to_text()
    assert text.isascii()
    assert "\x00" not in text
    assert len(text.splitlines()) == 1


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "null", "true", "everyone", "*", "[]", "{}", '"mara"', "mara", "1"),
        '{"everyone": false}',
        '{"everyone": 1}',
        '{"everyone": "true"}',
        '{"everyone": true, "users": ["mara"]}',
        '{"users": ["mara"], "everyone": true}',
        '{"users": []}',
        '{"users": [""]}',
        '{"users": ["mara", ""]}',
        '{"users": "mara"}',
        '{"users": null}',
        '{"users": [7]}',
        '{"users": [["mara"]]}',
        '{"users": {"mara": true}}',
        '{"user": "mara"}',
        '{"users": ["mara"]} {"everyone": true}',
        '{"users": ["mara"]',
        "[" * 100_000,
    ],
)
def test_a_text_that_grants_nothing_clear_grants_nothing(text: str) -> None:
    with pytest.raises(ScopeError):
        Scope.from_text(text)


@given(st.text() | st.recursive(st.none() | st.booleans() | st.integers() | st.text(),
       lambda inner: st.lists(inner) | st.dictionaries(
           st.sampled_from(["everyone", "users"]) | st.text(), inner)).map(json.dumps))  # fmt: skip
def test_everyone_is_granted_by_one_text_alone(text: str) -> None:
    try:
        scope = Scope.from_text(text)
    except ScopeError:
        return
    assert scope.is_everyone == (json.loads(text) == {"everyone": True})


def test_a_scope_holds_somebody() -> None:
    with pytest.raises(ScopeError, match="at least one user"):
        Scope.team([])
    with pytest.raises(ScopeError, match="not empty"):
        Scope.user("")


def test_the_one_user_of_a_scope_is_known() -> None:
    assert Scope.user("mara").only_user == "mara"
    assert Scope.team(["mara", "mara"]).only_user == "mara"
    assert Scope.team(["mara", "noor"]).only_user is None
    assert Scope.everyone().only_user is None


@given(scopes, scopes)
def test_narrowing_gives_what_lies_within_and_refuses_the_rest(
    granted: Scope, asked: Scope
) -> None:
    within = granted.is_everyone or (
        asked.user_ids is not None and asked.user_ids <= (granted.user_ids or frozenset())
    )
    assert granted.contains(asked) == within
    if within:
        assert granted.narrow(asked) == asked
    else:
        with pytest.raises(ScopeError):
            granted.narrow(asked)


def test_no_team_contains_everyone() -> None:
    with pytest.raises(ScopeError, match="outside the scope granted here"):
        Scope.team(["mara", "noor"]).narrow(Scope.everyone())


def test_a_refusal_does_not_name_the_users_that_were_granted() -> None:
    with pytest.raises(ScopeError) as refused:
        Scope.user("mara").narrow(Scope.user("noor"))
    assert "mara" not in str(refused.value)
