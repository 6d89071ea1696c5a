"""The parts of docs/ that say what the code says: the command line and the settings.

`make docs` writes them; a test fails where they are not what this module would write.
"""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import SecretStr, ValidationError
from sqlalchemy import Boolean, Date, Float, Integer, Numeric
from sqlalchemy.types import TypeEngine

from analytics_core.dal.profile import NOUNS, Profile
from analytics_core.dal.tables import Base, UtcInstant, Word
from analytics_core.settings import PREFIX, Settings
from tests.support.attacks.attempts import ATTEMPTS

ROOT = Path(__file__).parents[2]
_NOTE = "<!-- Written by `make docs` from the code; changes belong there. -->"


def commands() -> str:
    """Every command with its arguments and options, as Typer documents itself."""
    done = subprocess.run(
        [sys.executable, "-m", "typer", "analytics_core.cli", "utils", "docs", "--name=analytics"],
        # As wide as this, help texts are not wrapped for somebody's terminal.
        env={**os.environ, "COLUMNS": "200", "NO_COLOR": "1"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    # Typer escapes for HTML what Markdown shows as it is.
    text = done.stdout.strip().replace("&#x27;", "'").replace("&gt;", ">")
    text = text.replace("&lt;=", "<=")
    return f"{_NOTE}\n\n{text}\n"


def settings() -> str:
    """Every environment variable, what it means and what it is when unset."""
    return "\n".join(
        [
            _NOTE,
            "",
            "# Settings",
            "",
            "All of them are environment variables, read once when a process starts.",
            "",
            "| variable | meaning | when unset |",
            "| --- | --- | --- |",
            *_settings_rows(),
            "",
        ]
    )


def _settings_rows() -> Iterator[str]:
    for name, field in Settings.model_fields.items():
        default = field.default
        if isinstance(default, SecretStr):
            default = default.get_secret_value()
        unset = "" if default is None else f"`{default}`"
        yield f"| `{PREFIX}{name.upper()}` | {field.description} | {unset} |"


def profile_fields() -> str:
    """Every section and field that a profile may name."""
    lines = [
        _NOTE,
        "",
        "# Fields of a profile",
        "",
        "What a section may say. How to say it: [attaching to a product's database]"
        "(../host-database.md).",
        "",
        "| field | needed | values |",
        "| --- | --- | --- |",
    ]
    for noun in NOUNS:
        for field, kind in _fields(noun).items():
            needed = "yes" if _is_needed(noun, field) else ""
            lines.append(f"| `{noun}.{field}` | {needed} | {_values(kind)} |")
    return "\n".join([*lines, ""])


def _fields(noun: str) -> dict[str, TypeEngine[Any]]:
    return {
        column.name: column.type
        for column in Base.metadata.tables[noun].columns
        if column.computed is None
    }


def _is_needed(noun: str, field: str) -> bool:
    """Whether a profile is refused that leaves this field out and names all others."""
    tables = {
        name: {"table": name, **dict.fromkeys(_fields(name), "column")} for name in {"users", noun}
    }
    del tables[noun][field]
    try:
        Profile(name="without", tables=tables)
    except ValidationError:
        return True
    return False


def _values(kind: TypeEngine[Any]) -> str:
    match kind:
        case Word():
            allowed = (word.value for word in kind.vocabulary if word not in kind.without)
            return ", ".join(f"`{word}`" for word in allowed)
        case UtcInstant():
            return "an instant"
        case Boolean():
            return "true or false"
        case Date():
            return "a date"
        case Integer():
            return "a whole number"
        case Numeric() | Float():
            return "a number"
    return "text"


def attempts() -> str:
    """The page on security as it is, its list of attempts as they are made."""
    prose, note, _ = (ROOT / "docs/security.md").read_text(encoding="utf-8").partition(_NOTE)
    lines = [prose + note, ""]
    for group, made in itertools.groupby(ATTEMPTS, lambda attempt: attempt.group):
        lines += [f"### {group[:1].upper()}{group[1:]}", "", "| attempt | by | outcome |"]
        lines.append("| --- | --- | --- |")
        # As code, so that what looks like markup stays what was sent.
        lines += [f"| {_cell(one.name)} | {one.who} | {one.expected} |" for one in made]
        lines.append("")
    return "\n".join(lines)


def _cell(text: str) -> str:
    return f"`{text}`" if "/" in text or "_" in text else text


PAGES = {
    Path("docs/reference/commands.md"): commands,
    Path("docs/reference/profile-fields.md"): profile_fields,
    Path("docs/reference/settings.md"): settings,
    Path("docs/security.md"): attempts,
}


def main() -> None:
    for page, written in PAGES.items():
        path = ROOT / page
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(written(), encoding="utf-8")


if __name__ == "__main__":
    main()
