"""Signed grants: whose rows a transaction on PostgreSQL may see, said so that the database believes
it.

A grant is one line, `<kind>.<until>.<users>.<key>.<signature>`: `users` or `everyone`, the second
since 1970 from which on it is none, the ids as base64 of an array, the name of the key that signed
it, and an HMAC-SHA-256 of all before it. Whoever connects sets it as `analytics.granted`; functions
in the schema `analytics_access` check it, with keys that only their owner can read. Whoever holds a
grant can use it and read it, and cannot change it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, text

from analytics_core.errors import AccessEnded, ScopeError
from analytics_core.model.scope import Scope

ACCESS = "analytics_access"
SETTING = "analytics.granted"
_USERS, _EVERYONE = "users", "everyone"
_KEY_BYTES = 32
_GRANT = re.compile(
    rf"(?P<kind>{_USERS}|{_EVERYONE})\.(?P<until>[0-9]{{1,18}})\.(?P<users>[A-Za-z0-9+/=]*)"
    r"\.[0-9a-f]{8}\.[0-9a-f]{64}"
)
# Within the quotes of an array's text, what is special comes after a backslash.
_SPECIAL = re.compile(r'["\\]')
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
# Whether `told`, `said` without its signature, was signed by one of the keys and is not over. Both
# signatures are hashed once more, so that how long comparing takes tells nothing.
# What is not signed is not read any further: it may hold anything.
_CHECK = f"""SELECT sha256(convert_to('.' || encode(
            sha256(outer_block || sha256(inner_block || convert_to(said, 'UTF8'))), 'hex'
        ), 'UTF8')) = sha256(convert_to(right(told, 65), 'UTF8'))
        INTO good FROM {ACCESS}.keys WHERE name = split_part(said, '.', 4);
    IF good THEN
        good := split_part(said, '.', 2)::bigint > extract(epoch FROM clock_timestamp());
    END IF;"""  # noqa: S608 - our names
# A grant that somebody signs for themselves outlives any transaction of theirs.
OWN = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class GrantKey:
    """A key that signs grants; its name tells the database which of its keys to check with."""

    secret: bytes = field(repr=False)

    @property
    def name(self) -> str:
        return hashlib.sha256(self.secret).hexdigest()[:8]

    @classmethod
    def from_text(cls, text: str) -> GrantKey:
        """The key as hex digits, as the owner of a product's database is shown it.

        Raises `ValueError` for anything else.
        """
        secret = bytes.fromhex(text)
        if len(secret) != _KEY_BYTES:
            raise ValueError(f"a key of grants has {2 * _KEY_BYTES} hex digits")
        return cls(secret)


@dataclass(frozen=True, slots=True)
class Grant:
    """What a signed grant says; that it was signed by somebody who may, only the database knows."""

    scope: Scope
    until: datetime


def sign(scope: Scope, key: GrantKey, until: datetime) -> str:
    """A grant of the scope's rows until then, in one short line."""
    signed = f"{unsigned(scope, until)}.{key.name}"
    return f"{signed}.{hmac.new(key.secret, signed.encode(), 'sha256').hexdigest()}"


def unsigned(scope: Scope, until: datetime) -> str:
    """What a grant says, without its signature."""
    seconds = int(until.timestamp())
    if scope.user_ids is None:
        return f"{_EVERYONE}.{seconds}."
    # What no database takes for text is nobody's id there.
    ids = sorted(filter(_is_text, scope.user_ids))
    # As PostgreSQL writes an array, which it reads in a fraction of the time of JSON.
    quoted = (_SPECIAL.sub(r"\\\g<0>", one) for one in ids)
    listed = "{" + ",".join(f'"{one}"' for one in quoted) + "}"
    return f"{_USERS}.{seconds}.{base64.b64encode(listed.encode()).decode()}"


def is_signed(text: str) -> bool:
    """Whether a text looks like a grant that is signed."""
    return _GRANT.fullmatch(text) is not None


def read(text: str) -> Grant:
    """What a grant says, whoever signed it; raises `ScopeError` for what is none."""
    found = _GRANT.fullmatch(text)
    if found is None:
        raise ScopeError("the granted scope cannot be read")
    try:
        until = datetime.fromtimestamp(int(found["until"]), UTC)
        if found["kind"] == _EVERYONE:
            return Grant(Scope.everyone(), until)
        listed = base64.b64decode(found["users"]).decode()
        ids = [_ESCAPED.sub(r"\1", one) for one in _QUOTED.findall(listed)]
        return Grant(Scope.team(ids), until)
    except (ValueError, OverflowError, OSError, TypeError):
        raise ScopeError("the granted scope cannot be read") from None


def scope_of(text: str) -> Scope:
    """The scope that a launcher granted, signed or not; raises `ScopeError`."""
    return read(text).scope if is_signed(text) else Scope.from_text(text)


@dataclass(frozen=True, slots=True)
class Granted:
    """Whose rows one opener of a database may see, and what shows it.

    `grant` is one that somebody else signed, `key` signs here; with neither, only the owner of the
    database's keys is believed.
    """

    scope: Scope = field(default_factory=Scope.everyone)
    grant: str | None = field(default=None, repr=False)
    key: GrantKey | None = None

    def told(self, now: datetime) -> str | None:
        """A grant to show, if there is something to show it with; raises `AccessEnded`."""
        if self.grant is not None:
            if read(self.grant).until <= now:
                raise AccessEnded
            return self.grant
        return sign(self.scope, self.key, now + OWN) if self.key else None


# Shown in place of what a database was opened with, by whoever asks for somebody in particular.
_SHOWN_HERE: ContextVar[Granted | None] = ContextVar("granted", default=None)


@contextmanager
def showing(granted: Granted) -> Iterator[None]:
    """Within the block, transactions of this context show this, of every database."""
    before = _SHOWN_HERE.set(granted)
    try:
        yield
    finally:
        _SHOWN_HERE.reset(before)


def shown_here() -> Granted | None:
    """What transactions of this context show; None where it is what databases were opened with."""
    return _SHOWN_HERE.get()


def _is_text(id_: str) -> bool:
    try:
        return b"\0" not in id_.encode()
    except UnicodeEncodeError:
        return False


def make_checks(connection: Connection, keys: Sequence[GrantKey] = ()) -> None:
    """Make what checks grants, or bring it up to date; PostgreSQL only.

    `keys`, the newest first, are those of another database that shall be good here too; without
    any, the database makes its own.
    """
    for statement in checks():
        connection.exec_driver_sql(statement)
    for key in reversed(keys):
        connection.execute(text(f"SELECT {ACCESS}.add_key(:made)"), {"made": key.secret})
    if not connection.execute(text(f"SELECT count(*) FROM {ACCESS}.keys")).scalar():  # noqa: S608
        renew_key(connection)


def renew_key(connection: Connection) -> None:
    """Make a key that signs from now on; the one before stays good, those before it do not."""
    connection.execute(text(f"SELECT {ACCESS}.new_key()"))


def checks() -> list[str]:
    """The statements that make what checks grants; to run them again changes nothing.

    An HMAC is written out, as PostgreSQL has the hash only: of a key's two padded blocks, which are
    kept beside it. The search path is fixed, so that nobody puts another `sha256` in its way.
    """
    fixed = "SET search_path = pg_catalog, pg_temp"
    checked = f"LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER {fixed}"
    return [
        f"CREATE SCHEMA IF NOT EXISTS {ACCESS}",
        # Names in it stand in policies already; people need it to ask for themselves.
        f"GRANT USAGE ON SCHEMA {ACCESS} TO PUBLIC",
        f"""CREATE TABLE IF NOT EXISTS {ACCESS}.keys (
    name text PRIMARY KEY,
    secret bytea NOT NULL,
    inner_block bytea NOT NULL,
    outer_block bytea NOT NULL,
    made_at timestamptz NOT NULL DEFAULT clock_timestamp()
)""",
        f"REVOKE ALL ON {ACCESS}.keys FROM PUBLIC",
        # The newest two stay: what the one before has signed is good until the next comes.
        f"""CREATE OR REPLACE FUNCTION {ACCESS}.add_key(made bytea) RETURNS text
LANGUAGE plpgsql {fixed} AS $$
DECLARE
    block bytea := made || decode(repeat('00', 64 - length(made)), 'hex');
    inner_made bytea := block;
    outer_made bytea := block;
BEGIN
    FOR place IN 0..63 LOOP
        inner_made := set_byte(inner_made, place, get_byte(block, place) # 54);
        outer_made := set_byte(outer_made, place, get_byte(block, place) # 92);
    END LOOP;
    INSERT INTO {ACCESS}.keys (name, secret, inner_block, outer_block)
    VALUES (left(encode(sha256(made), 'hex'), 8), made, inner_made, outer_made)
    ON CONFLICT (name) DO UPDATE SET made_at = clock_timestamp();
    DELETE FROM {ACCESS}.keys WHERE name NOT IN (
        SELECT name FROM {ACCESS}.keys ORDER BY made_at DESC LIMIT 2
    );
    RETURN encode(made, 'hex');
END $$""",  # noqa: S608 - our names
        # The secret comes from the server's own source of randomness, three uuids of it.
        f"""CREATE OR REPLACE FUNCTION {ACCESS}.new_key() RETURNS text
LANGUAGE sql {fixed} AS $$
    SELECT {ACCESS}.add_key(sha256(
        uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())
        || uuid_send(gen_random_uuid())
    ))
$$""",
        # Written into each of its callers: a call of another function costs as much as the hashes.
        f"""CREATE OR REPLACE FUNCTION {ACCESS}.is_good(told text) RETURNS boolean
{checked} AS $$
DECLARE
    said text := left(told, -65);
    good boolean;
BEGIN
    {_CHECK}
    RETURN coalesce(good, false);
END $$""",
        f"""CREATE OR REPLACE FUNCTION {ACCESS}.everyone() RETURNS boolean
{checked} AS $$
DECLARE
    told text := current_setting('{SETTING}', true);
    said text := left(told, -65);
    good boolean;
BEGIN
    IF told IS NULL OR left(told, 9) <> '{_EVERYONE}.' THEN
        RETURN false;
    END IF;
    {_CHECK}
    RETURN coalesce(good, false);
END $$""",
        f"""CREATE OR REPLACE FUNCTION {ACCESS}.users() RETURNS text[]
{checked} AS $$
DECLARE
    told text := current_setting('{SETTING}', true);
    said text := left(told, -65);
    good boolean;
BEGIN
    IF told IS NULL OR left(told, 6) <> '{_USERS}.' THEN
        RETURN '{{}}';
    END IF;
    {_CHECK}
    IF good THEN
        RETURN convert_from(decode(split_part(told, '.', 3), 'base64'), 'UTF8')::text[];
    END IF;
    RETURN '{{}}';
END $$""",
        # For its owner, who could read the key as well: PostgreSQL keeps it then.
        f"""CREATE OR REPLACE FUNCTION {ACCESS}.signed(said text) RETURNS text
LANGUAGE sql STABLE {fixed} AS $$
    SELECT whole || '.' || encode(
        sha256(outer_block || sha256(inner_block || convert_to(whole, 'UTF8'))), 'hex'
    )
    FROM (
        SELECT *, said || '.' || name AS whole FROM {ACCESS}.keys ORDER BY made_at DESC LIMIT 1
    ) AS newest
$$""",  # noqa: S608 - our names
        *(
            f"REVOKE ALL ON FUNCTION {ACCESS}.{name} FROM PUBLIC"
            for name in ("add_key(bytea)", "new_key()", "signed(text)")
        ),
    ]
