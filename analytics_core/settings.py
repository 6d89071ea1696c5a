"""Where things are and how they are looked at, read once from the environment."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from typing import Any

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from analytics_core.errors import SettingsError

PREFIX = "ANALYTICS_"

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
    grant: str | None = Field(
        default=None,
        description="The scope this process was granted by what launched it (Scope.to_text).",
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
    notebooks: Path | None = Field(
        default=None, description="Where templates and guides are, if not beside the package."
    )

    @field_validator("database_url", "state_url")
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

    @field_validator("spool")
    @classmethod
    def _absolute_folder(cls, spool: Path | None) -> Path | None:
        return spool and spool.absolute()

    @property
    def spool_folder(self) -> Path:
        """Where recorded events wait: one folder for each database, unless a setting says so."""
        if self.spool is not None:
            return self.spool
        url = self.database_url.get_secret_value()
        if found := re.fullmatch(r"sqlite(?:\+\w+)?:///([^?]+)(?:\?.*)?", url):
            return Path(f"{found[1]}.spool")
        # A password that changes leads to the same folder.
        address = re.sub(r"(//[^:/@]*):[^@]*@", r"\1@", url)
        name = hashlib.blake2b(address.encode(), digest_size=8).hexdigest()
        state = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
        return state / "usage-analytics-workspace" / "spool" / name

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

    @classmethod
    def read(cls, **overrides: Any) -> Settings:
        """The settings from the environment, single ones replaced; raises `SettingsError`."""
        try:
            return cls(**{name: value for name, value in overrides.items() if value is not None})
        except ValidationError as refused:
            first = refused.errors(include_input=False)[0]
            name = ".".join(str(part) for part in first["loc"])
            raise SettingsError(f"{PREFIX}{name.upper()}", first["msg"]) from None
