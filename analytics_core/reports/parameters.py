"""The parameters that a template declares, and the values given for them, checked before it runs.

papermill only warns of what a template does not know and writes any value into it. Its own
inspection reads the cell with a regular expression, which loses `str | None` and any line with two
equals signs; this one reads it as Python.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from analytics_core.errors import ParameterError, TemplateError
from analytics_core.reports.template import Template

Value: TypeAlias = str | int | float | bool | None

TAG = "parameters"
REQUIRED = ("user", "period")

_TYPES: dict[str, type] = {"str": str, "int": int, "float": float, "bool": bool}
_WORDS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_A = {str: "text", int: "a whole number", float: "a number", bool: "true or false"}


@dataclass(frozen=True, slots=True)
class Parameter:
    """One declared parameter: `kind` is str, int, float or bool; `optional` ones may be None."""

    name: str
    kind: type
    optional: bool = False

    def read(self, value: object) -> Value:
        """The value, text being read as this parameter's type; raises `ParameterError`."""
        if value is None and self.optional:
            return None
        read: Value = None
        if isinstance(value, str):
            read = self._from_text(value)
        elif isinstance(value, int | float) and type(value) is self.kind:
            read = value
        elif self.kind is float and type(value) is int:
            read = float(value)
        if read is None or (isinstance(read, float) and not math.isfinite(read)):
            raise ParameterError(self.name, f"{value!r} is not {_A[self.kind]}")
        return read

    def _from_text(self, text: str) -> Value:
        if self.kind is bool:
            return _WORDS.get(text.lower())
        try:
            number_or_text: Value = self.kind(text)
        except ValueError:
            return None
        return number_or_text


def declared_parameters(template: Template) -> dict[str, Parameter]:
    """The parameters of a template, by name; raises `TemplateError` where it is not one."""
    tagged = [c for c in template.notebook.cells if TAG in c.metadata.get("tags", ())]
    if len(tagged) != 1 or tagged[0].cell_type != "code":
        raise TemplateError(template.name, f"it needs one code cell tagged {TAG!r}")
    try:
        statements = ast.parse(tagged[0].source).body
    except SyntaxError as broken:
        raise TemplateError(template.name, f"its {TAG} cell is not Python") from broken
    found = {p.name: p for p in (_declared(template, line) for line in statements) if p}
    for name in REQUIRED:
        if name not in found:
            raise TemplateError(template.name, f"its {TAG} cell does not declare {name!r}")
    return found


def read_parameters(template: Template, given: Mapping[str, object]) -> dict[str, Value]:
    """The values to run a template with; raises `ParameterError` for one it cannot take."""
    declared = declared_parameters(template)
    for name in given:
        if name not in declared:
            known = ", ".join(declared)
            raise ParameterError(name, f"the template {template.name} knows {known}")
    return {name: declared[name].read(value) for name, value in given.items()}


def _declared(template: Template, line: ast.stmt) -> Parameter | None:
    """What one line such as `user: str = ""` declares; None for a line that declares nothing."""
    match line:
        case ast.AnnAssign(target=ast.Name(id=name), annotation=annotation, value=ast.expr()):
            kind, optional = _kind(annotation)
        case ast.Assign(targets=[ast.Name(id=name)], value=ast.Constant(value=default)):
            kind, optional = _TYPES.get(type(default).__name__), False
        case ast.Expr(value=ast.Constant()):
            return None
        case _:
            where = f"line {line.lineno} of its {TAG} cell"
            raise TemplateError(template.name, f"{where} is not like `name: type = value`")
    if kind is None:
        raise TemplateError(template.name, f"{name!r} must be a str, an int, a float or a bool")
    return Parameter(name, kind, optional)


def _kind(annotation: ast.expr) -> tuple[type | None, bool]:
    match annotation:
        case ast.Name(id=name):
            return _TYPES.get(name), False
        case ast.BinOp(left=left, op=ast.BitOr(), right=ast.Constant(value=None)):
            return _kind(left)[0], True
    return None, False


def parse_assignment(text: str) -> tuple[str, str]:
    """`name=value` as it stands on a command line; raises `ParameterError`."""
    name, equals, value = text.partition("=")
    if not equals or not name.isidentifier():
        raise ParameterError(repr(text), "parameters are given as name=value")
    return name, value


def as_given(pairs: list[str]) -> dict[str, Any]:
    """The parameters of a command line, each at most once; raises `ParameterError`."""
    given: dict[str, Any] = {}
    for name, value in map(parse_assignment, pairs):
        if name in given:
            raise ParameterError(name, "it is given twice")
        given[name] = value
    return given
