"""What a nursery does so that kernels write on few of the pages of memory that they share.

Python counts references where its objects are, and so whatever a kernel touches becomes its own,
page by page. What it asks many objects for is asked once before, and what it makes lies together.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from types import SimpleNamespace
from typing import Any

import zmq

# Of Python's allocator: the smallest size that bytes can have, the largest that is not left to the
# system, and what lies between two; its pools, each of one size, and how many are filled at most.
_SMALLEST, _LARGEST, _STEP = 48, 512, 16
_POOL, _POOL_HEAD, _MOST_POOLS = 16384, 48, 16
_filling: list[bytes] = []


class KnownModules:
    """What ipykernel and IPython see as `sys`: it tells names and files of modules without a look.

    Each kernel asks all modules for their files, for the debugger's sake, and lists their names,
    and so would write on megabytes of pages that kernels share. The nursery asks them once, and has
    copies that lie side by side.
    """

    def __init__(self) -> None:
        files = [getattr(module, "__file__", None) for module in list(sys.modules.values())]
        vars(self).update(
            _files=tuple(_copied(file) for file in files if file),
            _names=tuple(_copied(name) for name in list(sys.modules)),
        )

    def __getattr__(self, name: str) -> Any:
        return getattr(sys, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(sys, name, value)

    @property
    def modules(self) -> KnownModules:
        return self

    def copy(self) -> KnownModules:
        return self

    def keys(self) -> tuple[str, ...]:
        names: tuple[str, ...] = self._names
        return names

    def values(self) -> Iterator[SimpleNamespace]:
        """One after the other in the same object, of which nothing but the file is asked."""
        module = SimpleNamespace()
        for module.__file__ in self._files:
            yield module


def _copied(text: str) -> str:
    return text.encode().decode()


def ask_ahead() -> None:
    """Ask what each kernel would ask, and Python then writes down with hundreds of classes.

    Who sets an option of a socket asks all of its classes for annotations. A class gets them when
    first asked, whereupon Python forgets what it knows of all that inherit from it; `Generic` is
    one. And the log asks of what it tells whether it is a mapping, and so every kind of mapping.
    """
    for kind in {*zmq.Context.__mro__, *zmq.Socket.__mro__}:
        getattr(kind, "__annotations__", None)
    for told in (str, int, list):
        issubclass(told, Mapping)


def fill_gaps() -> None:
    """Put something between small objects where there is room, for as long as the process lives.

    A kernel would put its own objects there, and get a page of its own for each. Python starts a
    new pool only when all of a size are full.
    """
    for size in range(_SMALLEST, _LARGEST + 1, _STEP):
        room = (_POOL - _POOL_HEAD) // size
        in_pool = Counter[int]()
        # Where Python allocates in another way no pool is ever seen to be full.
        for _ in range(_MOST_POOLS * room):
            block = bytes(size - sys.getsizeof(b""))
            _filling.append(block)
            pool = id(block) // _POOL
            in_pool[pool] += 1
            # In a new pool, but for what else is made meanwhile.
            if in_pool[pool] > room * 0.9:
                break
