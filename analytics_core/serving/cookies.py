"""Cookies as this server writes them: one header line, made here.

Python 3.11 knows no `Partitioned`, without which a browser keeps no cookie for a page that is
embedded in another site.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cookies:
    """What all cookies of one server have in common."""

    port: int
    # Reached through https alone, and not from this machine alone.
    is_secure: bool = False
    is_embedded: bool = False

    @property
    def session_name(self) -> str:
        """A cookie is shared by all ports of a host, so its name says which server it belongs to.

        The prefix makes browsers refuse one that another host of the site has set.
        """
        return "__Host-usage" if self.is_secure else f"usage-{self.port}"

    def line(
        self, name: str, value: str, *, is_readable: bool = False, seconds: int | None = None
    ) -> str:
        """The header's value; without `seconds` it is forgotten with the browser's session."""
        # One that scripts read is the page's own: browsers take its folder, whatever prefix a proxy
        # has added. The session's prefix wants the root.
        parts = [f"{name}={value}", *([] if is_readable else ["Path=/"])]
        if seconds is not None:
            parts.append(f"Max-Age={seconds}")
        if not is_readable:
            parts.append("HttpOnly")
        if self.is_embedded:
            parts += ["Secure", "SameSite=None", "Partitioned"]
        else:
            parts += [*(["Secure"] if self.is_secure else []), "SameSite=Strict"]
        return "; ".join(parts)
