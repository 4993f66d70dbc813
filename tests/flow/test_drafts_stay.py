"""Nothing drafted leaves by any path but a person's full approval of exactly that row."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wfops_pipelines import Policy, flow, publishing, undoing
from wfops_pipelines.assist import draft, duplicates, tidy
from wfops_pipelines.core.reviews import Actor, Edit, Review, ReviewState, Verb
from wfops_pipelines.deciding import deadlines, waiving
from wfops_pipelines.errors import WfopsError
from wfops_pipelines.store import reviews

pytestmark = [pytest.mark.components, pytest.mark.slow]
MACHINE = Actor("test", "machine")
ADMIN = Actor("ana", verified=True)
CLEAR = (
    "drop schema if exists shop cascade",
    "truncate wfops.streams, wfops.snapshots cascade",
    "truncate wfops.reviews, wfops.staged_rows, wfops.outbox, wfops.decisions, wfops.row_outcomes",
    "truncate wfops.quarantine, wfops.drafts, wfops.controls",
)


def record(n: int, minute: int = 0) -> dict[str, Any]:
    at = f"2026-06-01T10:{minute % 60:02}:00Z"
    return {"id": n, "name": " Ann " if n % 3 else "Bo", "amount": n % 4 - 1.0, "updated_at": at}


class Life:
    """A sync with drafts, repairs and duplicates, and what machines and people do to it."""

    def __init__(self, bench: Any) -> None:
        self.bench, self.n = bench, 0

    def pending(self) -> list[Review]:
        with self.bench.services.engine.connect() as conn:
            return reviews.listed(conn, sync="things")

    def run(self) -> None:
        self.n += 3
        self.bench.run([record(self.n + k, self.n) for k in range(3)])

    def again(self) -> None:
        self.bench.run()

    def judge(self) -> None:
        sync, services = self.bench.sync, self.bench.services
        flow.judge_staged(self.bench.project, sync, services, flow.Run(MACHINE))

    def publish(self) -> None:
        publishing.publish_cleared(self.bench.sync, self.bench.services, MACHINE)

    def release(self) -> None:
        """What the gate's sensor does, with all that waits in the outbox."""
        now = self.bench.clock.advance(minutes=30)
        with self.bench.services.engine.connect() as conn:
            waiting = reviews.waiting(conn, now or self.bench.services.clock())
        for errand in waiting:
            with suppress(WfopsError):  # not its turn
                publishing.release(self.bench.sync, errand.decision, self.bench.services, MACHINE)

    def clean(self) -> None:
        for review in self.pending():
            self.bench.decide(review, Verb.APPROVE_CLEAN)

    def vote(self) -> None:
        for review in self.pending():
            self.bench.decide(review, Verb.APPROVE)  # two are needed

    def reject(self) -> None:
        for review in self.pending()[:1]:
            self.bench.decide(review, Verb.REJECT)

    def edit(self) -> None:
        for review in self.pending()[:1]:
            key = next(iter(review.keys), str(self.n))
            edits = (Edit(key, {"reply": "edited"}),)
            self.bench.decide(review, Verb.APPROVE, edits=edits, who="bob")
        self.judge()

    def reopen(self) -> None:
        with self.bench.services.engine.connect() as conn:
            some = reviews.listed(conn, sync="things", pending=False)
        for review in [r for r in some if r.state is ReviewState.REJECTED][:1]:
            self.bench.reopen(review, ADMIN)

    def late(self) -> None:
        self.bench.clock.advance(hours=30)
        deadlines.act(self.bench.project, self.bench.services)

    def waive(self) -> None:
        for review in self.pending()[:1]:
            asked = waiving.Asked("things", review.seq or 0, "amount_is_in_range",
                                  review.evidence_hash, "2026-06-20", "because")  # fmt: skip
            waiving.waive(asked, ADMIN, self.bench.project, self.bench.services)

    def undo(self) -> None:
        undoing.ask("things", 1, "because", ADMIN, self.bench.project, self.bench.services)


ACTS = ["run", "again", "judge", "publish", "release", "clean", "vote", "reject", "edit", "reopen",
        "late", "waive", "undo"]  # fmt: skip


@pytest.fixture
def made(make_bench: Any, tmp_path: Path) -> Any:
    file = tmp_path / "reply.jinja"
    file.write_text("Dear {{ row.name }}", "utf-8")
    bench = make_bench()
    asked = (tidy("name", "trim"), duplicates(("name",)), draft("reply", template=file))
    bench.project = replace(bench.project, syncs={"things": replace(bench.sync, assist=asked)})
    return bench


@settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    acts=st.lists(st.sampled_from(ACTS), min_size=4, max_size=9),
    scope=st.sampled_from(["rows", "whole"]),
    queue=st.sampled_from(["pass", "queue"]),
    warnings=st.booleans(),
)
def test_no_path_but_a_full_approval_lets_a_draft_out(made, acts, scope, queue, warnings):
    policy = Policy(
        reviewers="team", scope=scope, hold_rows_up_to=1.0, while_held=queue, approvals=2,
        warnings_hold=warnings, auto_release=0.9, deadline_hours=24, at_deadline="reject",
    )  # fmt: skip
    made.project = replace(made.project, syncs={"things": replace(made.sync, policy=policy)})
    with made.services.engine.begin() as conn:
        for words in CLEAR:
            conn.execute(sa.text(words))
    life = Life(made)
    life.run()
    for act in acts:
        try:
            getattr(life, act)()
        except WfopsError:
            continue  # refused, as it should be; nothing has changed
        assert made.rows() == []
    life.release()
    assert made.rows() == []


def test_two_approvals_let_exactly_the_approved_rows_out(made):
    policy = Policy(reviewers="team", hold_rows_up_to=1.0, approvals=2)
    made.project = replace(made.project, syncs={"things": replace(made.sync, policy=policy)})
    life = Life(made)
    made.run([record(3), record(4), record(6)])
    (review,) = life.pending()
    for who in ("ana", "bob"):
        made.decide(review, Verb.APPROVE, who=who, exclude=("4",))
    life.release()
    assert [i for (i,) in made.rows("id")] == [3, 6]
