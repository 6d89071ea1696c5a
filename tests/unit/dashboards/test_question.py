"""Questions: asked at once, one answer at a time, the last good one kept."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from analytics_core.errors import DatabaseUnavailable
from dashboards.model import (
    DEADLINE_SECONDS,
    PATIENCE_SECONDS,
    ApiUsageModel,
    CreditModel,
    NoAnswer,
    Question,
    RenderModel,
    UsageModel,
)
from tests.support.asking import ByHand, FakeWorkspace

GONE = DatabaseUnavailable("sqlite:///gone.db", "no such file")


def model(workspace: FakeWorkspace, runner: ByHand, **wanted: Any) -> UsageModel:
    return UsageModel(workspace=workspace, runner=runner, **wanted)  # type: ignore[arg-type]


def test_asks_at_once_for_what_is_wanted(workspace: FakeWorkspace, runner: ByHand) -> None:
    asking = model(workspace, runner, period="7d", zone="UTC", compare=True)
    assert asking.loading
    runner.answer()
    assert workspace.asked == [("everything", "7d", "UTC", True)]
    assert asking.data is workspace.answer
    assert not asking.loading


def test_asks_nothing_by_itself_when_told_so(workspace: FakeWorkspace, runner: ByHand) -> None:
    quiet = model(workspace, runner, automatic=False)
    quiet.period = "7d"
    assert runner.waiting == []
    quiet.refetch()
    assert len(runner.waiting) == 1


@pytest.mark.parametrize("change", [{"period": "90d"}, {"zone": "UTC"}, {"compare": True}])
def test_a_change_of_what_is_wanted_asks_again(
    workspace: FakeWorkspace, runner: ByHand, change: dict[str, Any]
) -> None:
    asking = model(workspace, runner)
    runner.answer()
    asking.set_trait(*next(iter(change.items())))
    assert asking.loading
    runner.answer()
    assert len(workspace.asked) == 2


def test_an_older_answer_that_comes_later_is_dropped(
    workspace: FakeWorkspace, runner: ByHand
) -> None:
    asking = model(workspace, runner)
    asking.period = "7d"
    workspace.answer = "newer"
    runner.answer(1)
    workspace.answer = "older"
    runner.answer(0)
    assert asking.data == "newer"
    assert not asking.loading


def test_a_failure_keeps_the_last_good_answer(workspace: FakeWorkspace, runner: ByHand) -> None:
    asking = model(workspace, runner)
    runner.answer()
    good, workspace.answer = workspace.answer, GONE
    asking.refetch()
    runner.answer()
    assert (asking.data, asking.error, asking.loading) == (good, GONE, False)


def test_a_retry_that_works_takes_the_error_away(workspace: FakeWorkspace, runner: ByHand) -> None:
    good, workspace.answer = workspace.answer, GONE
    asking = model(workspace, runner)
    runner.answer()
    assert asking.data is None
    workspace.answer = good
    asking.refetch()
    runner.answer()
    assert (asking.data, asking.error) == (good, None)


def test_asks_again_after_the_wanted_time(workspace: FakeWorkspace, runner: ByHand) -> None:
    asking = model(workspace, runner, refetch_seconds=30)
    runner.answer()
    [(seconds, call)] = runner.timers
    assert seconds == 30
    call()
    assert asking.loading


def test_goes_on_asking_after_a_failure(workspace: FakeWorkspace, runner: ByHand) -> None:
    workspace.answer = GONE
    model(workspace, runner, refetch_seconds=30)
    runner.answer()
    assert len(runner.timers) == 1


def test_one_timer_at_a_time(workspace: FakeWorkspace, runner: ByHand) -> None:
    asking = model(workspace, runner, refetch_seconds=30)
    runner.answer()
    asking.refetch_seconds = 60
    assert [seconds for seconds, _ in runner.timers] == [60]
    asking.refetch_seconds = 0
    assert runner.timers == []


def test_a_question_that_is_never_answered_has_failed_after_its_deadline(
    workspace: FakeWorkspace, runner: ByHand
) -> None:
    asking = model(workspace, runner, refetch_seconds=30)
    [(seconds, give_up)] = runner.timers
    assert seconds == DEADLINE_SECONDS
    give_up()
    assert isinstance(asking.error, NoAnswer)
    assert not asking.loading
    assert [seconds for seconds, _ in runner.timers] == [30]


def test_an_answer_after_the_deadline_is_dropped(workspace: FakeWorkspace, runner: ByHand) -> None:
    asking = model(workspace, runner)
    runner.timers[0][1]()
    runner.answer()
    assert (asking.data, type(asking.error)) == (None, NoAnswer)
    asking.refetch()
    runner.answer()
    assert (asking.data, asking.error) == (workspace.answer, None)


def test_an_answer_in_time_has_no_deadline_any_more(
    workspace: FakeWorkspace, runner: ByHand
) -> None:
    model(workspace, runner)
    runner.answer()
    assert runner.timers == []


def test_a_question_asked_by_whoever_observes_keeps_its_deadline(
    workspace: FakeWorkspace, runner: ByHand
) -> None:
    asking = model(workspace, runner, refetch_seconds=30)
    asking.observe(lambda _: asking.set_trait("period", "7d"), "data")
    runner.answer()
    [(seconds, go_on_waiting)] = runner.timers
    assert seconds == PATIENCE_SECONDS
    runner.timers.clear()
    go_on_waiting()
    [(seconds, give_up)] = runner.timers
    assert seconds == DEADLINE_SECONDS - PATIENCE_SECONDS
    give_up()
    assert isinstance(asking.error, NoAnswer)


def test_an_answer_is_late_after_a_while_or_where_there_is_nothing_to_show(
    workspace: FakeWorkspace, runner: ByHand
) -> None:
    asking = model(workspace, runner)
    assert asking.late
    runner.answer()
    assert not asking.late
    asking.period = "7d"
    assert (asking.loading, asking.late) == (True, False)
    [(seconds, call)] = runner.timers
    assert seconds == PATIENCE_SECONDS
    runner.timers.clear()
    call()
    assert asking.late
    runner.answer()
    assert (asking.late, runner.timers) == (False, [])


def test_whatever_comes_back_is_counted(workspace: FakeWorkspace, runner: ByHand) -> None:
    asking = model(workspace, runner)
    runner.answer()
    workspace.answer = GONE
    for expected in (2, 3):
        asking.refetch()
        runner.answer()
        assert asking.attempts == expected


def test_a_closed_model_asks_and_takes_nothing(workspace: FakeWorkspace, runner: ByHand) -> None:
    asking = model(workspace, runner, refetch_seconds=30)
    asking.close()
    runner.answer()
    asking.refetch()
    assert (asking.data, runner.waiting, runner.timers) == (None, [], [])


@pytest.mark.parametrize(
    ("kind", "question"),
    [(RenderModel, "renders"), (CreditModel, "credits"), (ApiUsageModel, "api")],
)
def test_narrower_models_ask_for_their_part_alone(
    workspace: FakeWorkspace, runner: ByHand, kind: type[Question], question: str
) -> None:
    asking = kind(workspace=workspace, runner=runner, period="7d")  # type: ignore[arg-type]
    runner.answer()
    assert workspace.asked == [(question, "7d", None, False)]
    assert asking.data is workspace.answer


def test_without_an_event_loop_the_answer_is_there_at_once(workspace: FakeWorkspace) -> None:
    assert UsageModel(workspace=workspace).data is workspace.answer  # type: ignore[arg-type]


def test_in_a_kernel_the_question_is_asked_in_a_thread_and_answered_on_the_loop() -> None:
    threads: dict[str, threading.Thread] = {}

    class Watched(FakeWorkspace):
        def get_analytics_data(self, *wanted: Any, **more: Any) -> Any:
            threads["asked"] = threading.current_thread()
            return super().get_analytics_data(*wanted, **more)

    async def kernel() -> None:
        asking = UsageModel(workspace=Watched())  # type: ignore[arg-type]
        asking.observe(lambda _: threads.update(told=threading.current_thread()), "data")
        while asking.loading:
            await asyncio.sleep(0.01)

    asyncio.run(asyncio.wait_for(kernel(), 5))
    assert threads["asked"] is not threading.main_thread()
    assert threads["told"] is threading.main_thread()


def test_knows_whose_numbers_these_are(workspace: FakeWorkspace, runner: ByHand) -> None:
    asking = model(workspace, runner)
    runner.answer()
    assert (asking.who, asking.own_zone) == ("Studio Northlight", "Asia/Kolkata")
