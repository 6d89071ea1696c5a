"""What a suite's tests came to with stock and with forked kernels, and what that says."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

OUTCOMES = ("passed", "failed", "skipped")


@dataclass(frozen=True, slots=True)
class Ran:
    """What became of one test, and the first line of why."""

    outcome: str
    reason: str = ""


_NEVER_RUN = Ran("failed", "it was not run at all")


@dataclass(slots=True)
class Run:
    """A suite's tests by name, and the tests during which kernels were forked or refused it.

    `has_ended` is false of one that was killed on the way.
    """

    tests: dict[str, Ran] = field(default_factory=dict)
    forked: Counter[str] = field(default_factory=Counter)
    not_forked: Counter[tuple[str, str]] = field(default_factory=Counter)
    has_ended: bool = False

    @classmethod
    def recorded(cls, lines: Iterable[str]) -> Run:
        """What the plugins in `inside/` wrote down."""
        run = cls()
        for line in lines:
            match json.loads(line):
                case {"test": name, "outcome": outcome, "reason": reason}:
                    run.tests[name] = Ran(outcome, reason)
                case {"forked": name}:
                    run.forked[name] += 1
                case {"not_forked": name, "reason": reason}:
                    run.not_forked[name, reason] += 1
                case {"ended": _}:
                    run.has_ended = True
        return run


@dataclass(slots=True)
class Comparison:
    """One package's suite, run with either kind of kernel.

    `left_out` are tests that neither ran, with why; `again` what tests that only forked kernels
    failed came to when both ran them again, stock first.
    """

    suite: str
    stock: Run
    forked: Run
    left_out: Mapping[str, str]
    again: dict[str, list[tuple[str, str]]] = field(default_factory=dict)

    def worse(self) -> list[str]:
        """The tests that pass with stock kernels and not with forked ones."""
        return [
            name
            for name, ran in self.stock.tests.items()
            if ran.outcome == "passed" and self._forked(name).outcome != "passed"
        ]

    def retry(self, stock: Run, forked: Run) -> None:
        """Take what forked kernels came to this time; what stock kernels passed once stays so."""
        for name, ran in forked.tests.items():
            beside = stock.tests.get(name, _NEVER_RUN)
            self.again.setdefault(name, []).append((beside.outcome, ran.outcome))
        self.forked.tests |= forked.tests
        self.forked.forked += forked.forked

    def faults(self) -> list[str]:
        """What is wrong with forked kernels, or with this comparison; nothing where all is well."""
        said = [f"fails only forked: {name}: {self._forked(name).reason}" for name in self.worse()]
        if not any(ran.outcome == "passed" for ran in self.stock.tests.values()):
            said.append("no test passes with stock kernels: there is nothing to compare with")
        if not self.forked.forked:
            said.append("no kernel was forked: both runs had stock kernels")
        for kind, run in self._kinds():
            said.extend([f"the {kind} run broke off"] if not run.has_ended else [])
        return said

    def lines(self) -> Iterator[str]:
        """All of it, for people."""
        yield f"{self.suite:<24}" + "".join(f"{outcome:>9}" for outcome in OUTCOMES)
        for kind, run in self._kinds():
            counts = Counter(ran.outcome for ran in run.tests.values())
            yield f"  {kind:<22}" + "".join(f"{counts[outcome]:>9}" for outcome in OUTCOMES)
        yield f"  kernels forked: {self.forked.forked.total()}, tests: {len(self.forked.forked)}"
        for (name, reason), times in sorted(self.forked.not_forked.items()):
            yield f"  not forked: {name} ({times}×): {reason}"
        for name, reason in self.left_out.items():
            yield f"  left out: {name}: {reason}"
        for name, ran in sorted(self.stock.tests.items()):
            if ran.outcome == "skipped":
                yield f"  skipped: {name}: {ran.reason}"
        for name, ran in sorted(self.stock.tests.items()):
            if ran.outcome == "failed":
                now = self._forked(name).outcome
                yield f"  fails with stock kernels: {name} ({now} forked): {ran.reason}"
        for name, tries in self.again.items():
            told = "; ".join(f"stock {stock}, forked {forked}" for stock, forked in tries)
            yield f"  failed forked, run again: {name}: {told}"
        for fault in self.faults():
            yield f"  FAULT: {fault}"

    def _kinds(self) -> tuple[tuple[str, Run], ...]:
        return ("stock", self.stock), ("forked", self.forked)

    def _forked(self, name: str) -> Ran:
        return self.forked.tests.get(name, _NEVER_RUN)


def verdict(compared: Iterable[Comparison]) -> int:
    """The exit code: 1 where forked kernels fall behind anywhere."""
    return 1 if any(comparison.faults() for comparison in compared) else 0
