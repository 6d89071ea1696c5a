"""Whatever happens in whatever order: rollups say what the rows say, in any zone."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test
from sqlalchemy import text

from analytics_core.dal.catalog import own_catalog
from analytics_core.dal.database import Database
from analytics_core.dal.ingest import IngestRepository
from analytics_core.dal.rollup.kept import Kept
from analytics_core.dal.rollup.marking import stop_marking
from analytics_core.dal.rollup.refresh import RollupRefresh
from analytics_core.dal.tables import microseconds
from analytics_core.model.daterange import DateRange
from analytics_core.model.event import (
    ApiCall,
    Credits,
    Event,
    FileDeleted,
    FileStored,
    RenderCreated,
    RenderFinished,
    to_json,
)
from tests.support.rollups import assert_same, crashing, refresh, statistics, verified
from tests.support.rows import insert
from tests.support.worlds import USERS, World, worlds
from tests.support.zones import instants_around, zone_and_date

# A crash comes before the first, second, … statement, or not at all.
_CRASHES = st.none() | st.none() | st.integers(0, 25)
_FEW = st.integers(0, 5)
_TABLES = ("renders", "credit_transactions", "files", "api_calls")


def _event(kind: str, number: int, user: str, at: datetime, detail: int) -> Event:
    """One of few events, so that the same noun is often told of twice, and ends come first."""
    about: dict[str, Any] = {"id": f"{kind}:{user}:{number}", "user_id": user, "occurred_at": at}
    noun = f"{user}-{number}"
    match kind:
        case "created":
            return RenderCreated(
                **about,
                render_id=noun,
                type=("image", "video")[detail % 2],
                source_platform=(None, "revit")[detail % 2],
                credits_cost=detail,
            )
        case "finished":
            status = ("completed", "failed")[detail % 2]
            return RenderFinished(**about, render_id=noun, status=status, processing_time=detail)
        case "call":
            codes = (200, 404, 500)
            return ApiCall(
                **about,
                method="GET",
                route=f"/v1/{detail % 3}",
                status_code=codes[detail % 3],
                duration=detail,
                platform=(None, "sketchup")[detail % 2],
            )
        case "stored":
            name = "villa.png"
            return FileStored(
                **about, file_id=noun, name=name, media_type="image/png", size=detail * 100
            )
        case "deleted":
            return FileDeleted(**about, file_id=noun)
        case _:
            direction = ("debit", "credit")[detail % 2]
            return Credits(
                **about,
                transaction_id=noun,
                direction=direction,
                amount=detail + 1,
                category=("render", "purchase")[detail % 2],
            )


class Rollups(RuleBasedStateMachine):
    """One database through events, changes by others, refreshes and crashes."""

    url = ""

    @initialize(world=worlds())
    def begin(self, world: World) -> None:
        self.database = Database(self.url)
        with self.database.write() as connection:
            stop_marking(connection)
            connection.commit()
        insert(self.url, world.rows, replace=True)
        self.dates, self.now = world.dates, world.now
        self.kept = Kept.own(self.database)
        self.told: list[Event] = []
        starts = [*world.dates.day_starts, world.dates.end]
        self.around = instants_around(starts)
        # What is clean to begin with is what a change that goes unnoticed would spoil.
        refresh(self.database, now=self.now)

    @rule(
        data=st.data(),
        kinds=st.lists(
            st.sampled_from(["created", "finished", "call", "stored", "deleted", "credits"]),
            min_size=1,
            max_size=4,
        ),
        crash=_CRASHES,
    )
    def tell(self, data: st.DataObject, kinds: list[str], crash: int | None) -> None:
        events = [
            _event(
                kind,
                data.draw(_FEW),
                data.draw(st.sampled_from(USERS)),
                data.draw(self.around),
                data.draw(_FEW),
            )
            for kind in kinds
        ]
        self.told += events
        self._ingest(events, crash)

    @rule(data=st.data(), crash=_CRASHES)
    def tell_again(self, data: st.DataObject, crash: int | None) -> None:
        if self.told:
            again = st.lists(st.sampled_from(self.told), min_size=1, max_size=4)
            self._ingest(data.draw(again), crash)

    def _ingest(self, events: list[Event], crash: int | None) -> None:
        with crashing(self.database, crash):
            IngestRepository(self.database).ingest([to_json(one) for one in events], self.now)

    @rule(data=st.data(), table=st.sampled_from(_TABLES), choice=st.sampled_from(USERS))
    def change(self, data: st.DataObject, table: str, choice: str) -> None:
        """Somebody moves rows of a user to another time, user or amount."""
        when = "occurred_at" if table == "api_calls" else "created_at"
        at: Any = data.draw(self.around)
        at = microseconds(at) if self.database.dialect == "sqlite" else at
        other = next(user for user in USERS if user != choice)
        self._execute(
            f"UPDATE {table} SET {when} = :at, user_id = :other WHERE id ="
            f" (SELECT min(id) FROM {table} WHERE user_id = :user)",
            at=at,
            user=choice,
            other=other,
        )

    @rule(data=st.data(), is_gone=st.booleans())
    def delete_files(self, data: st.DataObject, is_gone: bool) -> None:
        """Somebody says of all files when they went, or that they did not."""
        at: Any = data.draw(self.around) if is_gone else None
        at = microseconds(at) if at and self.database.dialect == "sqlite" else at
        self._execute("UPDATE files SET deleted_at = :at", at=at)

    @rule(cost=_FEW, status=st.sampled_from(["completed", "failed"]))
    def finish_renders(self, cost: int, status: str) -> None:
        self._execute(
            "UPDATE renders SET credits_cost = :cost, status = :status, processing_time = 7.5,"
            " project_id = NULL",
            cost=cost,
            status=status,
        )

    @rule(table=st.sampled_from(_TABLES), choice=st.sampled_from(USERS))
    def remove(self, table: str, choice: str) -> None:
        self._execute(
            f"DELETE FROM {table} WHERE id = (SELECT max(id) FROM {table} WHERE user_id = :user)",
            user=choice,
        )

    def _execute(self, statement: str, **parameters: Any) -> None:
        wanted = {k: v for k, v in parameters.items() if f":{k}" in statement}
        with self.database.write() as connection:
            connection.execute(text(statement), wanted)
            connection.commit()

    @rule(steps=st.none() | st.integers(0, 4), crash=_CRASHES)
    def refresh(self, steps: int | None, crash: int | None) -> None:
        """All of it, some steps of it, or up to a crash."""
        begun = RollupRefresh(self.kept, self.database, own_catalog(), self.now, worth=1).run()
        with crashing(self.database, crash):
            for number, _ in enumerate(begun):
                if steps is not None and number >= steps:
                    break
        begun.close()

    @rule(user=st.sampled_from(USERS), there=zone_and_date(), days=st.integers(1, 4))
    def ask_anything(self, user: str, there: Any, days: int) -> None:
        zone, _ = there
        first = self.dates.first
        self._compare(user, DateRange(first, first + timedelta(days=days), zone))

    @rule(user=st.sampled_from(USERS))
    def ask(self, user: str) -> None:
        self._compare(user, self.dates)

    def _compare(self, user: str, dates: DateRange) -> None:
        rolled = statistics(self.database, self.kept, user, dates, self.now)
        assert_same(rolled, statistics(self.database, None, user, dates, self.now))

    def teardown(self) -> None:
        if not hasattr(self, "told"):
            return
        assert verified(self.database) == []
        refresh(self.database)
        assert self.database.rows(text("SELECT count(*) FROM rollup_marks")) == [(0,)]
        assert verified(self.database) == []
        for user in USERS:
            self._compare(user, self.dates)
        self.database.close()


@pytest.fixture
def machine(shared_url: str) -> type[Rollups]:
    return type("OnThis", (Rollups,), {"url": shared_url})


def test_rollups_equal_a_recomputation_whatever_happens(machine: type[Rollups]) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=25,
            stateful_step_count=12,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            # A counterexample is short enough as it is found, and shrinking takes minutes.
            phases=[Phase.explicit, Phase.reuse, Phase.generate],
        ),
    )
