"""Asking a database several questions at once, over the few connections a process may have."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from queue import Empty, SimpleQueue
from typing import Any

from analytics_core.dal.database import MAX_CONNECTIONS, Database


class SideBySide:
    """As many threads as connections; each takes the next question until none is left.

    A thread asks all its questions in one transaction, which saves the server three round trips for
    every question but the first.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._threads = ThreadPoolExecutor(MAX_CONNECTIONS, thread_name_prefix="query")

    def ask(self, questions: Sequence[Callable[[], Any]]) -> list[Any]:
        """The answers, in the order of the questions; the first failure is raised."""
        waiting: SimpleQueue[int] = SimpleQueue()
        for number in range(len(questions)):
            waiting.put(number)
        answers: dict[int, Any] = {}

        def work() -> None:
            with self._database.reading():
                try:
                    while True:
                        number = waiting.get_nowait()
                        answers[number] = questions[number]()
                except Empty:
                    return

        # Each within a copy of what this thread is asking in: whose rows it was granted.
        running = [
            self._threads.submit(copy_context().run, work)
            for _ in range(min(MAX_CONNECTIONS, len(questions)))
        ]
        for one in running:
            one.result()
        return [answers[number] for number in range(len(questions))]

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
