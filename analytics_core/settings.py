"""Where things are and how they are looked at, read once from the environment."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from typing import Any

from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from analytics_core.errors import SettingsError, UnknownZone
from analytics_core.model.daterange import read_zone
from analytics_core.model.event import REMEMBERED
from analytics_core.model.keeping import KeepFor, Kind

PREFIX = "ANALYTICS_"

_ORIGIN = re.compile(r"https?://[a-z0-9.-]+(:\d+)?|https?://\[[0-9a-f:]+\](:\d+)?")
_GRANT_KEY = re.compile(r"[0-9a-f]{64}")
# What a process needs that runs a notebook for somebody; keys are not among it.
_FOR_KERNELS = (
    "database_url", "profile", "state_url", "grant", "zone", "spool", "spool_limit", "notebooks",
)  # fmt: skip
_RELATIVE_SQLITE = re.compile(r"(sqlite(?:\+\w+)?:///)(?!/|:memory:|file:|\?)(.+)")


class Settings(BaseSettings):
    """The settings of one process; made with `Settings.read()`, then never changed.

    Addresses are secrets here, because they may hold a password: ask for `.get_secret_value()`
    where an engine is made, and nowhere else.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, frozen=True, extra="forbid", validate_default=True
    )

    database_url: SecretStr = Field(
        default=SecretStr("sqlite:///analytics.db"),
        description="The database that is looked at, as a SQLAlchemy URL.",
    )
    profile: str | None = Field(
        default=None,
        description="The profile of a product's own database: a name that ships, or a TOML file.",
    )
    state_url: SecretStr | None = Field(
        default=None,
        description="Where the workspace keeps what it must not keep in a product's database.",
    )
    reader_url: SecretStr | None = Field(
        default=None,
        description="The same database as a role that may only read: what dashboards and reports"
        " connect as, on PostgreSQL.",
    )
    state_reader_url: SecretStr | None = Field(
        default=None, description="The same for the state database."
    )
    grant: str | None = Field(
        default=None,
        description="The scope this process was granted by what launched it, signed where the"
        " database checks it.",
    )
    grant_key: SecretStr | None = Field(
        default=None,
        description="The key that signs grants for a product's database, as its owner was shown"
        " it; two, the newer first, while one replaces the other.",
    )
    grant_key_file: Path | None = Field(
        default=None, description="A file that holds the key, or both, in place of the variable."
    )
    zone: str | None = Field(
        default=None,
        description="The time zone in which days are cut unless one is asked for; unset, the"
        " user's own.",
    )
    host: str = Field(
        default="127.0.0.1", description="The address at which `analytics serve` listens."
    )
    port: int = Field(
        default=8866, ge=0, le=65535, description="The port at which `analytics serve` listens."
    )
    socket: Path | None = Field(
        default=None,
        description="A Unix socket at which `analytics serve` listens instead; whoever may open it"
        " is believed as the proxy.",
    )
    origins: str | None = Field(
        default=None,
        description="Under which addresses visitors reach it, `https://usage.example.com`, with"
        " spaces between; unset, on this machine alone.",
    )
    frame_ancestors: str | None = Field(
        default=None,
        description="The sites that may embed the page, `https://app.example.com`, with spaces"
        " between; unset, none.",
    )
    token_keys: SecretStr | None = Field(
        default=None,
        description="The keys of tokens, `id=secret` of at least 32 bytes or `id=ed25519:public"
        " key`, with spaces between; the first secret signs.",
    )
    token_keys_file: Path | None = Field(
        default=None, description="A file that holds them, in place of the variable."
    )
    token_audience: str = Field(
        default="usage-analytics", description="What tokens must name as their audience."
    )
    token_cookie: str | None = Field(
        default=None,
        description="The name of a cookie in which the product keeps a token for its visitor;"
        " unset, tokens come in links alone.",
    )
    used_links: Path | None = Field(
        default=None,
        description="The file that remembers which links were used; unset, in the user's state"
        " folder.",
    )
    session_minutes: int = Field(
        default=480,
        gt=0,
        description="How long a login is good after the page was last looked at.",
    )
    proxy_header: str | None = Field(
        default=None,
        description="The header in which a proxy names the user that it has authenticated.",
    )
    proxy_secret: SecretStr | None = Field(
        default=None,
        description="What the proxy shows in the header `X-Usage-Proxy-Secret`, at least 32"
        " characters; not needed over the Unix socket.",
    )
    proxy_secret_file: Path | None = Field(
        default=None, description="A file that holds it, in place of the variable."
    )
    most_pages: int = Field(
        default=40, gt=0, description="How many pages a server keeps open, each with a process."
    )
    pages_per_visitor: int = Field(
        default=8, gt=0, description="How many of them may be one visitor's."
    )
    spool: Path | None = Field(
        default=None,
        description="The folder where recorded events wait for the database; unset, beside an"
        " SQLite file, else in the user's state folder.",
    )
    spool_limit: int = Field(
        default=2**30,
        gt=0,
        description="How many bytes may wait there; beyond them recording refuses.",
    )
    warm_kernels: int = Field(
        default=2, ge=0, description="How many kernels of a dashboard wait for visitors at least."
    )
    most_warm_kernels: int = Field(
        default=8, ge=0, description="How many wait at most, while many visitors come."
    )
    keep_api_calls: str | None = Field(
        default=None,
        description="How long API calls are kept, `400 days` or `13 months`, more than 35 days;"
        " unset, for good. Days whose calls are gone are counted by the daily aggregate.",
    )
    keep_activity: str | None = Field(
        default=None,
        description="How long account activity is kept that no number counts: all but logins and"
        " sign-ups.",
    )
    keep_set_aside: str | None = Field(
        default=None, description="How long events are kept that were set aside."
    )
    collector_key: SecretStr | None = Field(
        default=None,
        description="The key that `analytics collect` asks for, at least 32 characters; two, with a"
        " space between, while one replaces the other.",
    )
    collector_key_file: Path | None = Field(
        default=None, description="A file that holds the key, or both, in place of the variable."
    )
    notebooks: Path | None = Field(
        default=None, description="Where templates and guides are, if not beside the package."
    )

    @field_validator("database_url", "state_url", "reader_url", "state_reader_url")
    @classmethod
    def _absolute(cls, url: SecretStr | None) -> SecretStr | None:
        # A launched process (a kernel in its notebook's folder) must find the same file.
        if url and (found := _RELATIVE_SQLITE.fullmatch(url.get_secret_value())):
            return SecretStr(f"{found[1]}{Path.cwd() / found[2]}")
        return url

    @field_validator("profile")
    @classmethod
    def _absolute_file(cls, profile: str | None) -> str | None:
        if profile and ("/" in profile or profile.endswith(".toml")):
            return str(Path(profile).absolute())
        return profile

    @field_validator("keep_api_calls", "keep_activity", "keep_set_aside")
    @classmethod
    def _duration(cls, text: str | None, about: ValidationInfo) -> str | None:
        if text is None:
            return None
        shortest = KeepFor.parse(text).shortest_days
        if about.field_name == "keep_api_calls" and shortest <= REMEMBERED.days:
            raise ValueError(f"must be more than the {REMEMBERED.days} days that ids are known")
        return text

    @field_validator("origins", "frame_ancestors")
    @classmethod
    def _origins(cls, text: str | None) -> str | None:
        for origin in (text or "").split():
            if not _ORIGIN.fullmatch(origin):
                raise ValueError(f"{origin!r} is no address like https://usage.example.com")
        return text

    @field_validator("proxy_header", "token_cookie")
    @classmethod
    def _header_name(cls, name: str | None) -> str | None:
        if name is not None and not re.fullmatch(r"[A-Za-z0-9-]+", name):
            raise ValueError("a name of letters, digits and hyphens")
        return name

    @field_validator("zone")
    @classmethod
    def _zone(cls, name: str | None) -> str | None:
        try:
            return name and read_zone(name).key
        except UnknownZone as unknown:
            raise ValueError(str(unknown)) from None

    @field_validator(
        "spool", "collector_key_file", "socket", "token_keys_file", "used_links",
        "proxy_secret_file", "grant_key_file",
    )  # fmt: skip
    @classmethod
    def _absolute_path(cls, path: Path | None) -> Path | None:
        return path and path.absolute()

    def secret(self, name: str) -> tuple[str, str]:
        """A secret, and the variable it came from: `name`, or the file named by `name_file`.

        Empty where neither is set; raises `SettingsError` where the file cannot be read.
        """
        variable = f"{PREFIX}{name.upper()}"
        given: SecretStr | None = getattr(self, name)
        file: Path | None = getattr(self, f"{name}_file")
        if (given is not None and given.get_secret_value()) or file is None:
            return given.get_secret_value() if given is not None else "", variable
        try:
            return file.read_text(encoding="ascii"), f"{variable}_FILE"
        except (OSError, ValueError) as refused:
            why = getattr(refused, "strerror", None) or "it is not plain text"
            raise SettingsError(f"{variable}_FILE", f"the file cannot be read: {why}") from None

    @property
    def keeping(self) -> dict[Kind, KeepFor]:
        """How long each kind is kept that is not kept for good."""
        told: dict[Kind, str | None] = {kind: getattr(self, f"keep_{kind}") for kind in Kind}
        return {kind: KeepFor.parse(text) for kind, text in told.items() if text is not None}

    @property
    def grant_keys(self) -> tuple[str, ...]:
        """The keys that sign grants, as hex digits, the newest first; raises `SettingsError`."""
        text, variable = self.secret("grant_key")
        keys = tuple(text.split())
        if len(keys) > 2 or not all(_GRANT_KEY.fullmatch(key) for key in keys):
            raise SettingsError(variable, "a key has 64 hex digits, and there are two at most")
        return keys

    @property
    def spool_folder(self) -> Path:
        """Where recorded events wait: one folder for each database, unless a setting says so."""
        if self.spool is not None:
            return self.spool
        url = self.database_url.get_secret_value()
        if found := re.fullmatch(r"sqlite(?:\+\w+)?:///([^?]+)(?:\?.*)?", url):
            return Path(f"{found[1]}.spool")
        return _state_folder() / "spool" / self._name_of_database

    @property
    def used_links_file(self) -> Path:
        """What remembers which login links were used: one for each database, unless set."""
        return self.used_links or _state_folder() / "used-links" / self._name_of_database

    @property
    def _name_of_database(self) -> str:
        # A password that changes leads to the same folder.
        address = re.sub(r"(//[^:/@]*):[^@]*@", r"\1@", self.database_url.get_secret_value())
        return hashlib.blake2b(address.encode(), digest_size=8).hexdigest()

    def for_reader(self, grant: str) -> Settings:
        """The settings of what only reads, within a grant: no secret in them but its own."""
        others = set(type(self).model_fields) - set(_FOR_KERNELS)
        return self.model_copy(
            update={
                **{name: type(self).model_fields[name].get_default() for name in others},
                "database_url": self.reader_url or self.database_url,
                "state_url": self.state_reader_url or self.state_url,
                "grant": grant,
            }
        )

    def to_environment(self) -> dict[str, str]:
        """These settings as environment variables, for a process that is launched with them."""
        values = {name: getattr(self, name) for name in type(self).model_fields}
        return {
            f"{PREFIX}{name.upper()}": value.get_secret_value()
            if isinstance(value, SecretStr)
            else str(value)
            for name, value in values.items()
            if value is not None
        }

    def replace_environment(self) -> None:
        """Make these all of our variables that this process hands on to those it launches."""
        for name in [name for name in os.environ if name.startswith(PREFIX)]:
            del os.environ[name]
        os.environ.update(self.to_environment())

    @staticmethod
    def is_for_kernels(variable: str) -> bool:
        """Whether a kernel may know this environment variable, as far as it is one of ours."""
        if not variable.upper().startswith(PREFIX):
            return True
        return variable.upper() in {f"{PREFIX}{name.upper()}" for name in _FOR_KERNELS}

    @classmethod
    def read(cls, **overrides: Any) -> Settings:
        """The settings from the environment, single ones replaced; raises `SettingsError`."""
        try:
            return cls(**{name: value for name, value in overrides.items() if value is not None})
        except ValidationError as refused:
            first = refused.errors(include_input=False)[0]
            name = ".".join(str(part) for part in first["loc"])
            raise SettingsError(f"{PREFIX}{name.upper()}", first["msg"]) from None


def _state_folder() -> Path:
    state = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
    return state / "usage-analytics-workspace"
