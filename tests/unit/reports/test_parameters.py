"""A template says what it takes; anything else is refused before it runs."""

from __future__ import annotations

from pathlib import Path

import pytest
from nbformat.v4 import new_code_cell, new_notebook

from analytics_core.errors import ParameterError, TemplateError
from analytics_core.reports.parameters import as_given, declared_parameters, read_parameters
from analytics_core.reports.template import Template

REQUIRED = 'user: str = ""\nperiod: str = "30d"\n'


def template(source: str, tags: tuple[str, ...] = ("parameters",)) -> Template:
    cell = new_code_cell(source, metadata={"tags": list(tags)})
    return Template("sample", Path("sample.ipynb"), new_notebook(cells=[cell]))


@pytest.mark.parametrize(
    ("declaration", "text", "value"),
    [
        ('note: str = ""', "a=b", "a=b"),
        ("days: int = 7", "30", 30),
        ("limit: float = 0.5", "0.25", 0.25),
        ("compare: bool = True", "no", False),
        ("days: int | None = None", "30", 30),
        ("days = 7", "30", 30),
        ('note: str = "a=b"  # two equals signs', "c", "c"),
    ],
)
def test_text_is_read_as_the_declared_type(declaration: str, text: str, value: object) -> None:
    name = declaration.split(":")[0].split()[0]
    assert read_parameters(template(REQUIRED + declaration), {name: text}) == {name: value}


@pytest.mark.parametrize(
    ("declaration", "value", "problem"),
    [
        ("days: int = 7", "many", "parameter days: 'many' is not a whole number"),
        ("days: int = 7", True, "is not a whole number"),
        ("days: int = 7", 7.5, "is not a whole number"),
        ("days: int = 7", None, "is not a whole number"),
        ("limit: float = 0.5", "nan", "is not a number"),
        ("compare: bool = True", "maybe", "is not true or false"),
        ("compare: bool = True", 1, "is not true or false"),
        ('note: str = ""', 5, "is not text"),
    ],
)
def test_a_value_of_another_type_is_refused(declaration: str, value: object, problem: str) -> None:
    name = declaration.split(":")[0]
    with pytest.raises(ParameterError, match=problem):
        read_parameters(template(REQUIRED + declaration), {name: value})


def test_a_value_of_the_declared_type_is_taken_as_it_is() -> None:
    source = REQUIRED + "days: int | None = 7\nlimit: float = 1"
    given = {"days": None, "limit": 2}
    assert read_parameters(template(source), given) == {"days": None, "limit": 2.0}


def test_an_unknown_parameter_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(ParameterError, match=r"parameter colour: .* knows user, period"):
        read_parameters(template(REQUIRED), {"colour": "red"})


def test_a_template_without_a_parameters_cell_is_refused() -> None:
    with pytest.raises(TemplateError, match="one code cell tagged 'parameters'"):
        declared_parameters(template(REQUIRED, tags=()))


@pytest.mark.parametrize("missing", ["user", "period"])
def test_a_template_must_take_a_user_and_a_period(missing: str) -> None:
    source = "\n".join(line for line in REQUIRED.splitlines() if not line.startswith(missing))
    with pytest.raises(TemplateError, match=f"does not declare '{missing}'"):
        declared_parameters(template(source))


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("import os", "line 3 of its parameters cell is not like"),
        ("%matplotlib inline", "its parameters cell is not Python"),
        ("days: list[int] = []", "'days' must be a str, an int, a float or a bool"),
        ("days: int", "line 3"),
    ],
)
def test_a_parameters_cell_declares_and_does_nothing_else(line: str, problem: str) -> None:
    with pytest.raises(TemplateError, match=problem):
        declared_parameters(template(REQUIRED + line))


def test_a_docstring_and_comments_may_explain_the_parameters() -> None:
    source = f'"""What this report is about."""\n# who and when\n{REQUIRED}'
    assert list(declared_parameters(template(source))) == ["user", "period"]


def test_a_command_line_gives_parameters_as_name_and_value() -> None:
    assert as_given(["note=a=b", "days=7"]) == {"note": "a=b", "days": "7"}


@pytest.mark.parametrize("pair", ["days", "=7", "two words=1"])
def test_anything_else_is_refused(pair: str) -> None:
    with pytest.raises(ParameterError, match="name=value"):
        as_given([pair])


def test_a_parameter_given_twice_is_refused() -> None:
    with pytest.raises(ParameterError, match="given twice"):
        as_given(["days=7", "days=8"])
