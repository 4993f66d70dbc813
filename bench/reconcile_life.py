"""One seeded life of a sync: what happens at the source, to the process and at the gate."""

from __future__ import annotations

import contextlib
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from bench.reconcile_source import KEYS, Moods, Moody
from bench.reconcile_world import Crash, Ground, crash
from wfops_pipelines import Above, Policy, flow, publishing, undoing
from wfops_pipelines.core.reviews import (
    HOLDS,
    REFUSED,
    Actor,
    Decision,
    Edit,
    Review,
    ReviewKind,
    ReviewState,
    Verb,
)
from wfops_pipelines.deciding import deadlines, gate, reopening, steering
from wfops_pipelines.deciding.editing import held_rows
from wfops_pipelines.errors import DecisionRefused, SettingsError, SourceUnreachable
from wfops_pipelines.failing import report_failure
from wfops_pipelines.project import Project
from wfops_pipelines.services import Services
from wfops_pipelines.store import reviews
from wfops_pipelines.store.snapshots import HeadMoved
from wfops_pipelines.testing import FrozenClock

LIMIT = 100
OVERLAP = timedelta(minutes=60)
ANA, BOB, CYD = (Actor(n, verified=True) for n in ("ana", "bob", "cyd"))
MACHINE = Actor("sim", "machine")


@dataclass
class Life:
    """A sync, its source, and what its people did. `did` counts what was exercised."""

    seed: int
    ground: Ground
    dice: random.Random
    clock: FrozenClock
    source: Moody
    project: Project
    services: Services
    incremental: bool
    ordered: bool  # nothing is taken back or asked again, so that a queue's order can be judged
    did: Counter[str] = field(default_factory=Counter)
    finished: set[str] = field(default_factory=set)  # extractions that ended without an error
    decided: set[str] = field(default_factory=set)  # ids of the decisions that people took here
    unsure: set[str] = field(default_factory=set)  # reviews where a crash ate the answer
    paused: bool = False
    _attempts: int = 0

    @property
    def sync(self) -> Any:
        return self.project.syncs["things"]

    def live(self, steps: int) -> None:
        acts: dict[Callable[[], None], int] = {
            self.run: 10, self.decide: 6, self.release: 2, self.edit: 3, self.expire: 1,
            self.pause_or_resume: 1, self.reopen: 3, self.revert: 2, self.answer_failure: 1,
            self.read_again: 1,
        }  # fmt: skip
        self.happen()
        self.run()
        for _ in range(steps):
            (act,) = self.dice.choices([*acts], [*acts.values()])
            if act == self.run:
                self.happen()
            act()
        self.drain()

    # at the source

    def happen(self) -> None:
        """Some rows change, some of them twice, and time passes."""
        for _ in range(self.dice.randint(0, 4)):
            key = self.change()
            if self.dice.random() < 0.4:
                self.clock.advance(seconds=self.dice.choice((1, 60, 960)))
                self.change(key)
            if self.dice.random() < 0.7:
                self.clock.advance(seconds=self.dice.choice((0, 1, 30, 300)))
        self.clock.advance(seconds=self.dice.choice((1, 60, 600, 1800, 5400)))

    def change(self, of: str | None = None) -> str:
        key, dice = of or self.dice.choice(KEYS), self.dice
        if self.source.current(key) is not None and dice.random() < 0.1:
            self.did["deleted"] += 1
            self.source.delete(key)
        elif dice.random() < 0.3 and self.source.undo(key):
            self.did["to and fro"] += 1
        else:
            self._write(key)
        return key

    def _write(self, key: str) -> None:
        dice = self.dice
        late, ahead = timedelta(0), timedelta(0)
        if dice.random() < 0.25:
            late = timedelta(minutes=dice.choice((1, 10, 40, 58, 90, 300)))
            self.did["late"] += 1
        elif dice.random() < 0.08:
            ahead = timedelta(hours=dice.choice((1, 5)))
            self.did["dated ahead"] += 1
        amount = dice.randint(1, LIMIT) if dice.random() < 0.6 else LIMIT + dice.randint(1, 50)
        self.source.write(key, amount, dice.choice("xyz"), late, ahead)

    # the machine

    def run(self, since: datetime | None = None) -> None:
        """One run of the sync: plain, or with a crash, another run or a person in its way."""
        self.clock.advance(seconds=1)
        self.source.between = self._between_pages
        event = self.dice.random()
        if event < 0.3:
            self._arm("crash", crash, before=self.dice.random() < 0.5)
        elif event < 0.4:
            self._arm("run at once", self._another, before=False)
        elif event < 0.5:
            self._arm("person at once", self.decide, before=False)
        self.extract(since)
        self.ground.boundaries.disarm()
        self.source.between = None

    def read_again(self) -> None:
        """`wfops run --since`: what ordinary runs do not reach any more."""
        if self.incremental and self.source.windowed:
            self.did["read since a date"] += 1
            self.run(self.clock() - timedelta(hours=self.dice.choice((2, 6, 48))))

    def extract(self, since: datetime | None = None) -> None:
        self._attempts += 1
        attempt = self.source.attempt = f"run {self._attempts}"
        try:
            self._run_sync(attempt, since)
            self.finished.add(attempt)
        except HeadMoved:
            self.did["head moved"] += 1
        except SourceUnreachable:
            self.did["cut"] += 1
        except Crash:
            self.did["crash"] += 1
        except SettingsError:
            self.did["nothing to read again"] += 1
        self.did["run"] += 1

    def _run_sync(self, attempt: str, since: datetime | None) -> None:
        run = flow.Run(MACHINE, attempt)
        try:
            flow.run_sync(self.project, self.sync, self.services, run, since=since)
        except SourceUnreachable as error:
            report_failure(self.sync, "extract", error, self.services, attempt)
            raise

    def _arm(self, what: str, act: Callable[[], None], *, before: bool) -> None:
        def counted() -> None:
            self.did[what] += what != "crash"
            act()

        self.ground.boundaries.arm(self.dice.choice((1, 1, 2, 2, 3, 4)), counted, before=before)

    def _between_pages(self) -> None:
        if self.dice.random() < 0.15:
            self.did["changed while paging"] += 1
            self.change()
        if self.dice.random() < 0.05:
            self.did["run at once"] += 1
            self._another()

    def _another(self) -> None:
        """A whole run inside the one that is going on."""
        attempt, between = self.source.attempt, self.source.between
        self.source.between = None
        self.extract()
        self.source.attempt, self.source.between = attempt, between

    def release(self) -> None:
        """What the gate's sensor does: act on what was decided; some of it twice."""
        with self.services.engine.connect() as conn:
            errands = reviews.waiting(conn, self.clock() + timedelta(days=1))
        for errand in errands:
            if errand.seq is None:
                continue
            crashes = self.dice.random() < 0.15
            if crashes:
                self._arm("crash", crash, before=self.dice.random() < 0.5)
            try:
                publishing.release(self.sync, errand.decision, self.services, MACHINE)
                if self.dice.random() < 0.3:
                    self.did["released twice"] += 1
                    publishing.release(self.sync, errand.decision, self.services, MACHINE)
            except (publishing.Paused, publishing.OutOfTurn) as waits:
                self.did[type(waits).__name__.lower()] += 1
            except Crash:
                self.did["crash"] += 1
            self.ground.boundaries.disarm()
            self.clock.advance(seconds=1)

    # people

    def pending(self, *kinds: ReviewKind) -> list[Review]:
        with self.services.engine.connect() as conn:
            found = reviews.listed(conn, sync="things")
        return sorted((r for r in found if r.kind in kinds), key=lambda r: (r.opened_at, r.id))

    def _held(self) -> Review | None:
        found = self.pending(*HOLDS)
        return self.dice.choice(found) if found else None

    def decide(self) -> None:
        review = self._held()
        if review is None:
            return
        verb = self.dice.choice((Verb.APPROVE, Verb.APPROVE, Verb.REJECT, Verb.APPROVE_CLEAN))
        verb = verb if verb in review.verbs else Verb.APPROVE
        exclude: tuple[str, ...] = ()
        if verb is Verb.APPROVE and len(review.keys) > 1 and self.dice.random() < 0.4:
            exclude = (self.dice.choice(review.keys),)
            self.did["excluded"] += 1
        self.answer(review, verb, exclude=exclude)
        if self.dice.random() < 0.6:
            self.release()

    def answer(self, review: Review, verb: Verb, **changes: Any) -> gate.Taken | None:
        """Decide, with as many people as it takes; some answers crash on the way."""
        people = [
            p for p in (ANA, BOB, CYD) if p.name not in (review.requested_by, review.reopened_by)
        ]
        if self.dice.random() < 0.15:
            self._arm("crash", crash, before=self.dice.random() < 0.5)
        taken = None
        for person in people:
            asked = replace(
                Decision(review.id, review.evidence_hash, verb, "because", person), **changes
            )
            try:
                taken = gate.decide(asked, self.project, self.services, "test")
            except DecisionRefused:
                self.did["refused answer"] += 1
            except Crash:
                self.did["crash"] += 1
                self.unsure.add(review.id)
                break
            else:
                self.decided.add(taken.id)
                self.did[verb.value] += taken.final
                if taken.final:
                    break
        self.ground.boundaries.disarm()
        return taken

    def edit(self) -> None:
        """Repair one held row; the edited rows are judged by the next run, or now."""
        review = self._held()
        if review is None:
            return
        keys = review.keys
        if not keys:
            with self.services.engine.connect() as conn:
                keys = tuple(sorted(held_rows(conn, self.sync, review, self.services)))
        amount = self.dice.choice((self.dice.randint(1, LIMIT), LIMIT + self.dice.randint(51, 99)))
        edits = (Edit(self.dice.choice(keys), {"amount": amount}),)
        taken = self.answer(review, Verb.APPROVE, edits=edits)
        self.did["edited"] += taken is not None and taken.edited is not None
        if self.dice.random() < 0.7:
            with contextlib.suppress(Crash):
                run = flow.Run(MACHINE)
                flow.judge_staged(self.project, self.sync, self.services, run)

    def expire(self) -> None:
        if self.sync.policy.deadline_hours is None:
            return
        self.clock.advance(hours=11)
        self.did["expired"] += len(deadlines.act(self.project, self.services))

    def pause_or_resume(self) -> None:
        act = steering.resume if self.paused else steering.pause
        act("things", "why not", ANA, self.project, self.services)
        self.paused = not self.paused
        self.did["paused"] += self.paused

    def reopen(self) -> None:
        if self.ordered:
            return
        with self.services.engine.connect() as conn:
            all_ = reviews.listed(conn, sync="things", pending=False)
            left = {r.id for r in all_ if reopening.put_away(conn, r)}
        found = [r for r in all_ if r.kind in HOLDS and (r.state in REFUSED or r.id in left)]
        if not found:
            return
        asked = self.dice.choice(found).id
        with contextlib.suppress(DecisionRefused):
            done = reopening.reopen(asked, "once more", CYD, self.project, self.services)
            self.did["re-opened" if done.review else "asked about left rows"] += 1

    def revert(self) -> None:
        """One asks to take a snapshot back, another approves it."""
        if self.ordered:
            return
        with self.services.engine.connect() as conn:
            seqs = [s.seq for s in flow.snapshots.latest(conn, "things")]
        if not seqs:
            return
        with contextlib.suppress(DecisionRefused):
            seq = self.dice.choice(seqs)
            asked = undoing.ask("things", seq, "wrong", CYD, self.project, self.services)
            self.answer(asked, Verb.APPROVE)
            self.release()
            self.did["reverted"] += 1

    def answer_failure(self) -> None:
        for review in self.pending(ReviewKind.FAILURE):
            self.answer(review, self.dice.choice((Verb.RETRY, Verb.REJECT)))

    # the end

    def drain(self) -> None:
        """The source behaves, time passes, nothing is paused, and all that was decided is done."""
        self.source.calm = True
        last = [v for had in self.source.versions.values() for v in had]
        skew = abs(self.source.moods.skew)
        times = [self.clock(), *(v.visible for v in last), *(v.cursor + skew for v in last)]
        self.clock.now = max(times) + timedelta(hours=1)
        if self.paused:
            self.pause_or_resume()
        dice, self.dice = self.dice, random.Random(0)
        self.dice.random = lambda: 1.0  # type: ignore[method-assign]
        left: list[tuple[int, ...]] = []
        while len(left) < 3 or (left[-1] != left[-2] and len(left) < 10):
            self.run()
            self.release()
            left.append(self._left())
        self.dice = dice

    def _left(self) -> tuple[int, ...]:
        """How much there is to be acted on, published and decided."""
        query = (
            "select (select count(*) from wfops.outbox where done_at is null), "
            "(select count(*) from wfops.snapshots where state in ('staged', 'cleared')), "
            "(select count(*) from wfops.reviews where state = 'pending')"
        )
        with self.services.engine.connect() as conn:
            return tuple(conn.exec_driver_sql(query).one())


def begin(seed: int, ground: Ground) -> Life:
    """A new life on cleared ground; everything about it follows from the seed."""
    ground.clear()
    dice, clock = random.Random(seed), FrozenClock()
    incremental = dice.random() < 0.8
    queue = dice.random() < 0.25
    policy = Policy(
        reviewers="team",
        false_holds=1e-6,
        high_impact=(Above("amount", LIMIT),),
        critical_fields=("owner",) if dice.random() < 0.4 else (),
        scope=dice.choice(("rows", "rows", "whole")),
        hold_rows_up_to=dice.choice((0.3, 0.6, 1)),
        delete_rows_up_to=dice.choice((0, 0.3, 1)),
        while_held="queue" if queue else "pass",
        approvals=dice.choice((1, 1, 2)),
        overlap_minutes=int(OVERLAP.total_seconds() // 60),
        deadline_hours=10 if dice.random() < 0.5 else None,
        at_deadline="reject",
        undo_hours=24,
    )
    deletes = dice.random() < 0.6
    source = Moody(dice, clock, _moods(dice, incremental, deletes))
    declared: dict[str, Any] = {"cursor": "updated_at"} if incremental else {}
    if deletes:
        declared |= {"deleted": "gone"} if incremental else {"missing": "delete"}
    project = ground.project(source, policy, **declared)
    services = replace(ground.services, clock=clock, entropy=dice.randbytes)
    ordered = queue or dice.random() < 0.3
    return Life(seed, ground, dice, clock, source, project, services, incremental, ordered)


def _moods(dice: random.Random, incremental: bool, deletes: bool) -> Moods:
    """How the source misbehaves. Without a cursor nothing tells which of two answers is older."""
    return Moods(
        skew=timedelta(minutes=dice.choice((-40, -5, 0, 0, 5, 40))),
        tick=timedelta(seconds=dice.choice((1, 60, 900))),
        page=dice.randint(1, 4),
        offset=dice.random() < 0.15,
        endless=dice.random() < 0.3,
        tombstones=incremental and deletes,
        fickle=dice.random() < 0.25,
        lagging=0.25 if incremental else 0,
        behind=0.15 if incremental else 0,
        unit=timedelta(hours=dice.choice((6, 24))) if dice.random() < 0.2 else Moods.unit,
    )


__all__ = ["Life", "ReviewState", "begin"]
