"""Random lives of a sync on the real database, against a model in memory.

Extract, hold, decide, edit, retry, re-open, expire, pause, release and crash in any order: the
destination holds what the model says, and every extracted row is accounted for.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.conftest import Bench
from wfops_pipelines import Policy, auditing, publishing
from wfops_pipelines.core.reviews import REFUSED, Actor, Edit, Review, ReviewState, Verb
from wfops_pipelines.deciding import deadlines, reopening, steering
from wfops_pipelines.errors import DecisionRefused, SourceUnreachable
from wfops_pipelines.failing import report_failure
from wfops_pipelines.flow import Run, judge_staged
from wfops_pipelines.reconciling.reconciliation import reconcile
from wfops_pipelines.staging.extraction import stage
from wfops_pipelines.store import reviews, snapshots

pytestmark = [pytest.mark.components, pytest.mark.slow]

START = datetime(2026, 5, 1, 9, tzinfo=UTC)
EMPTIED = (
    "audit streams controls staged_rows evidence profiles reviews decisions outbox publications "
    "quarantine deliveries replaced replaced_parts replaced_rows notifications waivers row_models "
    "snapshots"
)
ANA, BOB = Actor("ana", verified=True), Actor("bob", verified=True)


@dataclass
class Model:
    """What ought to be: rows by key as (rank of the snapshot, amount), and rows in question."""

    published: dict[str, tuple[int, int]] = field(default_factory=dict)
    held: dict[str, dict[str, int]] = field(default_factory=dict)  # review: key: amount
    ranks: dict[str, int] = field(default_factory=dict)
    refused: dict[str, dict[str, int]] = field(default_factory=dict)

    def publish(self, rank: int, rows: dict[str, int]) -> None:
        for key, amount in rows.items():
            if key not in self.published or self.published[key][0] < rank:
                self.published[key] = (rank, amount)


class Life(RuleBasedStateMachine):
    """One sync whose amounts below 0 are held row by row, or whole when they are many."""

    make: Any = None

    @initialize()
    def begin(self) -> None:
        self.bench: Bench = self.make()
        self.model = Model()
        self.decided: list[tuple[Any, Verb, tuple[str, ...]]] = []
        self.paused = False

    def _pending(self) -> list[Review]:
        with self.bench.services.engine.connect() as conn:
            return sorted(reviews.holding(conn, "things"), key=lambda r: (r.seq, r.id))

    def _learn(self, judged: Any) -> None:
        for one in judged:
            rows = self._amounts(one.snapshot)
            rank = one.snapshot.rank
            if one.review is None:
                by = one.snapshot.edited_by, one.snapshot.reopened_by
                assert by == (None, None), "what a person changed was published unseen"
                self.clear.append((rank, rows))
                continue
            keys = one.review.keys or tuple(rows)
            self.model.held[one.review.id] = {k: rows[k] for k in keys}
            self.model.ranks[one.review.id] = rank
            if one.review.keys:
                self.clear.append((rank, {k: v for k, v in rows.items() if k not in keys}))

    def _amounts(self, snapshot: Any) -> dict[str, int]:
        table = self.bench.services.rows(snapshot).whole()
        return dict(zip(table["id"].to_pylist(), table["amount"].to_pylist(), strict=True))

    @property
    def clear(self) -> list[tuple[int, dict[str, int]]]:
        return self.__dict__.setdefault("_clear", [])

    def _flush(self) -> None:
        """What the verdict let go is published by the next run, unless everything is paused."""
        publishing.publish_cleared(self.bench.sync, self.bench.services, Actor("m", "machine"))
        if not self.paused:
            for rank, rows in self.clear:
                self.model.publish(rank, rows)
            self.clear.clear()

    @rule(
        amounts=st.dictionaries(
            st.sampled_from("abcdef"), st.integers(-2, 4), min_size=1, max_size=5
        ),
        crash=st.sampled_from([None, "staged", "judged"]),
    )
    def extract(self, amounts: dict[str, int], crash: str | None) -> None:
        self.bench.clock.advance(minutes=15)
        moment = self.bench.clock.now
        page = [
            {"id": k, "name": "n", "amount": v, "updated_at": moment} for k, v in amounts.items()
        ]
        self.bench.source.answer(page)
        stage(self.bench.sync, self.bench.services, Actor("m", "machine"), None)
        if crash == "staged":
            return
        self._judge()
        if crash != "judged":
            self._flush()

    @rule()
    def run_again(self) -> None:
        self._judge()
        self._flush()

    def _judge(self) -> None:
        run = Run(Actor("m", "machine"))
        bench = self.bench
        self._learn(judge_staged(bench.project, bench.sync, bench.services, run))

    @precondition(lambda self: self._pending())
    @rule(
        data=st.data(),
        verb=st.sampled_from([Verb.APPROVE, Verb.REJECT, Verb.APPROVE_CLEAN]),
        leave_out=st.booleans(),
        at_once=st.booleans(),
    )
    def decide(self, data: Any, verb: Verb, leave_out: bool, at_once: bool) -> None:
        review = data.draw(st.sampled_from(self._pending()))
        if verb not in review.verbs:
            verb = Verb.APPROVE
        held = self.model.held[review.id]
        exclude = (min(held),) if leave_out and verb is Verb.APPROVE and len(held) > 1 else ()
        who = BOB if "ana" in (review.requested_by, review.reopened_by) else ANA
        taken = self.bench.decide(review, verb, actor=who, exclude=exclude)
        self.decided.append((taken, verb, exclude))
        with pytest.raises(DecisionRefused):
            self.bench.decide(review, Verb.REJECT, actor=BOB)
        if at_once:
            self.release()

    @precondition(lambda self: self._pending())
    @rule(data=st.data(), amount=st.integers(-2, 9))
    def edit(self, data: Any, amount: int) -> None:
        review = data.draw(st.sampled_from(self._pending()))
        held = self.model.held[review.id]
        key = min(held)
        if held[key] == amount or "ana" in (review.requested_by, review.reopened_by):
            return
        edits = (Edit(key, {"amount": amount}),)
        self.bench.decide(review, Verb.APPROVE, actor=ANA, edits=edits)
        self.model.held.pop(review.id)
        self._judge()

    @precondition(lambda self: self.decided)
    @rule()
    def release(self) -> None:
        while self.decided:
            taken, verb, exclude = self.decided[0]
            try:
                self.bench.release(taken)
            except publishing.Paused:
                assert self.paused
                return
            self.decided.pop(0)
            assert self.bench.release(taken) is None, "released twice"
            rows = self.model.held.pop(taken.review.id)
            rank = self.model.ranks[taken.review.id]
            going = self._going(verb, rows, exclude, taken.review)
            self.model.publish(rank, going)
            self.model.refused[taken.review.id] = {k: v for k, v in rows.items() if k not in going}

    def _going(
        self, verb: Verb, rows: dict[str, int], exclude: tuple[str, ...], review: Review
    ) -> dict[str, int]:
        if verb is Verb.REJECT:
            return {}
        if verb is Verb.APPROVE:
            return {k: v for k, v in rows.items() if k not in exclude}
        assert review.seq is not None
        with self.bench.services.engine.connect() as conn:
            found = snapshots.evidence(conn, "things", review.seq)
        assert found is not None
        flagged = {
            k for f in found[1]["findings"] if f["severity"] == "critical" for k in f["keys"]
        }
        return {k: v for k, v in rows.items() if k not in flagged}

    @rule()
    def fail_and_retry(self) -> None:
        bench = self.bench
        error = SourceUnreachable("the source is away")
        bench.source.error, bench.source.pages_ = error, ()
        with pytest.raises(SourceUnreachable):
            stage(bench.sync, bench.services, Actor("m", "machine"), None)
        review = report_failure(bench.sync, "extract", error, bench.services, None)
        assert review is not None, "an answered failure stood in the way of a new one"
        again = report_failure(bench.sync, "extract", error, bench.services, None)
        assert again is None
        bench.decide(review, Verb.RETRY, actor=ANA)
        bench.source.answer([])
        self._judge()
        self._flush()

    @precondition(lambda self: self._pending())
    @rule()
    def expire(self) -> None:
        waiting, services = self._pending(), self.bench.services
        self.bench.clock.advance(hours=11)
        assert len(deadlines.act(self.bench.project, services)) == len(waiting)
        with services.engine.connect() as conn:
            errands = reviews.waiting(conn, services.clock() + timedelta(hours=1))
        known = {taken.id for taken, _, _ in self.decided}
        for errand in errands:
            if errand.seq is not None and errand.decision not in known:
                review = self.bench.review(errand.review)
                assert review.state is ReviewState.EXPIRED
                done = SimpleNamespace(id=errand.decision, review=review)
                self.decided.append((done, Verb.REJECT, ()))
        self.release()

    @precondition(lambda self: self.model.refused)
    @rule(data=st.data())
    def reopen(self, data: Any) -> None:
        id = data.draw(st.sampled_from(sorted(self.model.refused)))
        project, services = self.bench.project, self.bench.services
        rows = self.model.refused.pop(id)
        if not rows:
            with pytest.raises(DecisionRefused):
                reopening.reopen(id, "once more", ANA, project, services)
            return
        done = reopening.reopen(id, "once more", ANA, project, services)
        if self.bench.review(id).state in REFUSED:
            assert done.review is not None
            self.model.held[done.review.id] = rows
            self.model.ranks[done.review.id] = self.model.ranks[id]
            return
        assert done.staged is not None
        assert self._amounts(done.staged) == rows
        assert done.staged.rank == self.model.ranks[id]
        self._judge()

    @rule()
    def pause_or_resume(self) -> None:
        act = steering.resume if self.paused else steering.pause
        act("things", "why not", ANA, self.bench.project, self.bench.services)
        self.paused = not self.paused

    @invariant()
    def the_destination_holds_what_the_model_says(self) -> None:
        if "model" not in self.__dict__:
            return
        got = {row[0]: row[1] for row in self.bench.rows("id, amount")}
        assert got == {k: amount for k, (_, amount) in self.model.published.items()}

    @invariant()
    def every_row_is_accounted_for(self) -> None:
        if "bench" in self.__dict__:
            assert reconcile(self.bench.sync, self.bench.services).missing == 0

    def teardown(self) -> None:
        if "bench" in self.__dict__:
            auditing.seal(self.bench.services)
            assert auditing.verify(self.bench.services).problems == []
            self.bench.services.engine.dispose()


@pytest.fixture
def lives(make_bench: Any, database_url: str) -> type[Life]:
    """The machine on one database, emptied between lives."""

    def make() -> Bench:
        policy = Policy(
            reviewers="team", hold_rows_up_to=0.5, deadline_hours=10, at_deadline="reject"
        )
        bench = make_bench(policy)
        with bench.services.engine.begin() as conn:
            conn.execute(sa.text("drop schema if exists shop cascade"))
            conn.execute(sa.text("alter table wfops.audit disable trigger all"))
            conn.execute(sa.text("alter table wfops.audit_head disable trigger all"))
            for table in EMPTIED.split():
                conn.execute(sa.text(f"delete from wfops.{table}"))
            conn.execute(sa.text("update wfops.audit_head set n = 0, hash = repeat('0', 64)"))
            conn.execute(sa.text("alter table wfops.audit enable trigger all"))
            conn.execute(sa.text("alter table wfops.audit_head enable trigger all"))
        bench.services.vault.file.unlink(missing_ok=True)
        return bench

    return type("OneLife", (Life,), {"make": staticmethod(make)})


def test_no_order_of_acts_publishes_what_was_not_approved_or_loses_a_row(lives: type[Life]) -> None:
    run_state_machine_as_test(
        lives,
        settings=settings(
            max_examples=15,
            stateful_step_count=20,
            deadline=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
