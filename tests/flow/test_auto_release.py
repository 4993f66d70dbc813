"""Release by confidence: off by default, only what may go, spot checks, nothing learned from it."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

import pytest

from wfops_pipelines import Above, Policy, publishing, undoing
from wfops_pipelines.core.findings import Severity
from wfops_pipelines.core.reviews import Actor, ReviewState, Verb
from wfops_pipelines.deciding import steering
from wfops_pipelines.deciding.confident import FEWEST, further
from wfops_pipelines.reconciling.proving import prove
from wfops_pipelines.reconciling.reconciliation import reconcile
from wfops_pipelines.store import audit, learning, reviews

pytestmark = pytest.mark.components
ON = Policy(reviewers="team", warnings_hold=True, auto_release=0.9, spot_checks=0.01, scope="whole")


def page(n: int, amount: float = 5) -> list[dict[str, Any]]:
    at = f"2026-05-01T{n // 60:02}:{n % 60:02}:00Z"
    return [{"id": n, "name": "n", "amount": amount, "updated_at": at}]


def lenient(bench: Any) -> Any:
    """The same bench; a negative amount is a warning only."""
    suite = bench.project.suites["things"]
    soft = tuple(
        replace(e, severity=Severity.WARNING) if "between" in e.type else e
        for e in suite.expectations
    )
    bench.project = replace(bench.project, suites={"things": replace(suite, expectations=soft)})
    bench.services = replace(bench.services, entropy=lambda n: b"\xff" * n)
    return bench


def taught(bench: Any, verb: Verb = Verb.APPROVE) -> Any:
    """People have decided as many holds for negative amounts as it takes, all alike."""
    for n in range(FEWEST):
        bench.services = replace(bench.services, entropy=lambda k, n=n: bytes([n + 1]) * k)
        bench.release(bench.decide(bench.held(page(n, -5)), verb))
    bench.services = replace(bench.services, entropy=lambda k: b"\xff" * k)
    return bench


def state(bench: Any, review: Any) -> ReviewState:
    return bench.review(review.id).state


@pytest.mark.slow
def test_what_people_always_approved_goes_by_itself_and_says_so(make_bench):
    bench = taught(lenient(make_bench(ON)))
    review = bench.held(page(FEWEST, -5))
    assert state(bench, review) is ReviewState.APPROVED
    with bench.services.engine.connect() as conn:
        (errand,) = reviews.errands_of(conn, review.id)
        trail = audit.trail(conn, review.subject)
    assert (trail[-1]["actor"], trail[-1]["actor_kind"]) == ("auto_release", "machine")
    assert trail[-1]["reason"].startswith("released by confidence: ")
    publishing.release(bench.sync, errand, bench.services, Actor("gate", "machine"))
    assert bench.rows()[-1][0] == FEWEST
    with bench.services.engine.connect() as conn:
        assert learning.counts(conn, "things") == {}
        assert all(not r.decided_by.startswith("machine") for r in reviews.answered(conn, "things")
                   if r.id != review.id)  # fmt: skip
    assert reconcile(bench.sync, bench.services).missing == 0


@pytest.mark.slow
def test_a_spot_check_goes_to_a_person(make_bench):
    bench = taught(lenient(make_bench(ON)))
    bench.services = replace(bench.services, entropy=lambda k: b"\x00" * (k - 1) + b"\x07")
    review = bench.held(page(FEWEST, -5))
    assert state(bench, review) is ReviewState.PENDING
    with bench.services.engine.connect() as conn:
        assert audit.trail(conn, review.subject)[-1]["action"] == "review.spot_check"


@pytest.mark.slow
def test_one_rejected_spot_check_ends_it(make_bench):
    bench = taught(lenient(make_bench(ON)))
    bench.services = replace(bench.services, entropy=lambda k: b"\x00" * (k - 1) + b"\x07")
    bench.release(bench.decide(bench.held(page(FEWEST, -5)), Verb.REJECT))
    bench.services = replace(bench.services, entropy=lambda k: b"\xfe" * k)
    assert state(bench, bench.held(page(FEWEST + 1, -5))) is ReviewState.PENDING


@pytest.mark.slow
def test_it_waits_for_a_person_where_it_must(make_bench):
    bench = taught(lenient(make_bench(ON)))
    unless: tuple[dict[str, Any], ...] = (
        {"auto_release": None},
        {"approvals": 2},
        {"auto_release": 0.9999},
        {"high_impact": (Above("amount", -100, "any"),)},
    )
    for n, changes in enumerate(unless, FEWEST):
        sync = replace(bench.sync, policy=replace(ON, **changes))
        bench.project = replace(bench.project, syncs={"things": sync})
        assert state(bench, bench.held(page(n, -5))) is ReviewState.PENDING, changes
    sync = replace(bench.sync, policy=ON)
    bench.project = replace(bench.project, syncs={"things": sync})
    assert state(bench, bench.held(page(FEWEST + 4, -5))) is ReviewState.APPROVED


@pytest.mark.slow
def test_a_rejection_and_a_failed_critical_check_are_never_released(make_bench):
    bench = taught(lenient(make_bench(ON)), Verb.REJECT)
    assert state(bench, bench.held(page(FEWEST, -5))) is ReviewState.PENDING
    critical = make_bench(replace(ON))
    critical.services = replace(critical.services, entropy=bench.services.entropy)
    assert state(critical, critical.held(page(101, -5))) is ReviewState.PENDING


def test_what_goes_further_than_people_approved_is_known_as_such(make_bench):
    bench = lenient(make_bench(ON))
    half = bench.held([*page(0, -5), *page(1, 5)])
    bench.services = replace(bench.services, entropy=lambda k: b"\xfe" * k)
    whole = bench.held([*page(2, -5), *page(3, -5)])
    assert half.cause == whole.cause == "amount_is_in_range"
    with bench.services.engine.connect() as conn:
        assert further(conn, whole, [half])
        assert not further(conn, half, [half, whole])
        assert further(conn, replace(half, seq=99), [whole])


@pytest.mark.slow
def test_another_finding_behind_the_known_ones_is_another_cause(make_bench):
    bench = taught(lenient(make_bench(ON)))
    suite = bench.project.suites["things"]
    soft = tuple(replace(e, severity=Severity.WARNING) for e in suite.expectations)
    bench.project = replace(bench.project, suites={"things": replace(suite, expectations=soft)})
    nameless = [{**page(FEWEST, -5)[0], "name": None}]
    assert state(bench, bench.held(nameless)) is ReviewState.PENDING


def everything_each_time(bench: Any) -> Any:
    """A bench that taught, whose sync has no cursor: each run tells the same row again."""
    bench.project.syncs["things"] = replace(bench.sync, cursor=None)
    bench = taught(bench)
    return drawn(bench, spot_check=True)


def drawn(bench: Any, *, spot_check: bool) -> Any:
    first = b"\x00" if spot_check else b"\xff"
    bench.services = replace(bench.services, entropy=lambda k: first + os.urandom(k - 1))
    return bench


def released_late(bench: Any, review: Any) -> list[Any]:
    """What of it is there once the machine's decision is carried out."""
    assert state(bench, review) is ReviewState.APPROVED
    with bench.services.engine.connect() as conn:
        (errand,) = reviews.errands_of(conn, review.id)
    publishing.release(bench.sync, errand, bench.services, Actor("gate", "machine"))
    assert prove(bench.sync, bench.services).misfits == ()
    assert reconcile(bench.sync, bench.services).missing == 0
    return [row for row in bench.rows() if row[0] >= FEWEST]


@pytest.mark.slow
@pytest.mark.parametrize("scope", ["whole", "rows"])
def test_what_people_take_back_while_a_release_waits_does_not_come_back_by_it(make_bench, scope):
    ana, bob = Actor("ana", verified=True), Actor("bob", verified=True)
    policy = replace(ON, scope=scope, hold_rows_up_to=1)
    bench = everything_each_time(lenient(make_bench(policy)))
    looked = bench.held(page(FEWEST, -5))
    bench.release(bench.decide(looked, Verb.APPROVE))
    asked = undoing.ask("things", looked.seq, "wrong", ana, bench.project, bench.services)
    steering.pause("things", "wait", ana, bench.project, bench.services)
    waits = drawn(bench, spot_check=False).held(page(FEWEST, -5))
    bench.release(bench.decide(asked, Verb.APPROVE, actor=bob))
    steering.resume("things", "go on", ana, bench.project, bench.services)
    assert released_late(bench, waits) == []


@pytest.mark.slow
@pytest.mark.parametrize("verb", [Verb.REJECT, Verb.APPROVE])
def test_what_people_decide_of_the_same_rows_before_it_goes_before_the_machine(make_bench, verb):
    policy = replace(ON, scope="rows", hold_rows_up_to=1, while_held="queue")
    bench = everything_each_time(lenient(make_bench(policy)))
    looked = bench.held(page(FEWEST, -5))
    waits = drawn(bench, spot_check=False).held(page(FEWEST, -5))
    bench.release(bench.decide(looked, verb))
    there = [] if verb is Verb.REJECT else [(FEWEST, "n", -5)]
    assert released_late(bench, waits) == there
