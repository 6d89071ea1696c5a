"""What kernels need not write on pages that they share with the nursery."""

from __future__ import annotations

import subprocess
import sys
from typing import Generic

import pytest
import zmq

from analytics_core.kernels.sharing import KnownModules, ask_ahead

# Python's Py_TPFLAGS_HEAPTYPE: a class that is not built into the interpreter.
_HEAP_TYPE = 1 << 9


def test_files_and_names_of_modules_are_known_and_the_rest_is_as_it_was(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    known = KnownModules()
    files = [module.__file__ for module in known.modules.copy().values()]
    assert {pytest.__file__, __file__} <= set(files)
    assert set(known.modules.keys()) == set(sys.modules)
    assert known.version is sys.version
    assert known.exc_info is sys.exc_info
    monkeypatch.setattr(sys, "argv", sys.argv)
    known.argv = ["changed"]
    assert sys.argv == ["changed"]


def test_a_kernel_asks_no_class_for_annotations_that_it_does_not_have() -> None:
    ask_ahead()
    classes = {*zmq.Socket.__mro__, *zmq.Context.__mro__}
    assert Generic in classes
    changeable = {one for one in classes if one.__flags__ & _HEAP_TYPE}
    assert {one for one in changeable if "__annotations__" not in vars(one)} == set()


_IN_GAPS = """
import sys
from analytics_core.kernels.sharing import fill_gaps

def made(size, number):
    return [bytes(size - sys.getsizeof(b"")) for _ in range(number)]

SIZES = 48, 64, 128, 512
scattered = {size: made(size, 40 * 4096 // size) for size in SIZES}
for size, blocks in scattered.items():
    # A gap on each of many pages.
    del blocks[:: 4096 // size]
fill_gaps()
for size in SIZES:
    print(size, len({id(one) // 4096 for one in made(size, 20)}))
"""


def test_what_is_made_once_gaps_are_filled_lies_together() -> None:
    pages = dict(map(int, line.split()) for line in run_alone(_IN_GAPS).splitlines())
    assert pages.keys() == {48, 64, 128, 512}
    assert {size: n for size, n in pages.items() if n > 2 + 20 * size // 4096} == {}


def test_filling_gaps_ends_where_python_leaves_all_objects_to_the_system() -> None:
    run_alone("from analytics_core.kernels import sharing; sharing.fill_gaps()", "malloc")


def run_alone(program: str, allocator: str = "pymalloc") -> str:
    """What a new process says, in which nothing else has left gaps, as in a nursery."""
    done = subprocess.run(
        [sys.executable, "-c", program],
        check=True,
        timeout=60,
        env={"PYTHONMALLOC": allocator},
        capture_output=True,
        text=True,
    )
    return done.stdout
