"""The project names another cursor, or none any more, or another key: nothing is lost or leaked."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest

from tests.conftest import MACHINE
from tests.flow.test_reading_since import Timely
from wfops_pipelines import Policy, flow
from wfops_pipelines.core.reviews import ReviewState, Verb
from wfops_pipelines.reconciling.proving import prove
from wfops_pipelines.sync import day_named

pytestmark = pytest.mark.components

START = datetime(2026, 5, 1, 9, tzinfo=UTC)
WHOLE = Policy(reviewers="team", scope="whole", overlap_minutes=60)


def row(id, amount=10, days=0, changed=0):
    moment, other = START + timedelta(days=days), START + timedelta(days=changed)
    columns = {"id": id, "name": "n", "amount": amount, "code": f"c{id}"}
    return {**columns, "updated_at": moment, "modified": other}


@dataclass(eq=False)
class ByModified(Timely):
    """The same source, asked by another column."""

    def pages(self, window, connection):
        for page in self.pages_:
            since = window.start or START - timedelta(days=1)
            yield [r for r in page if since <= r["modified"] < window.end]


def declared(bench, **changes):
    bench.project.syncs["things"] = replace(bench.sync, **changes)


def let_go(bench, page):
    """Run, and approve what waits since the sync is declared otherwise."""
    (judged,) = bench.run(page).judged
    assert "is declared otherwise" in judged.review.summary
    bench.release(bench.decide(judged.review, Verb.APPROVE))


def judged_no_more(bench):
    """Nothing but what was decided stands in a row's way from now on."""
    bench.project.suites["things"] = replace(bench.project.suites["things"], expectations=())


def there(bench, column="id"):
    proof = prove(bench.sync, bench.services)
    assert proof.misfits == ()
    assert proof.account.missing == 0
    return [r[0] for r in bench.rows(column)]


@pytest.fixture
def bench(make_bench):
    bench = make_bench(WHOLE)
    bench.source = Timely(windowed=True)
    declared(bench, source=bench.source)
    return bench


def test_a_hold_from_before_is_not_superseded_by_what_has_not_its_rows(make_bench):
    """What was remembered for the cursor's sake is no news to whoever reads everything."""
    bench = make_bench(Policy(reviewers="team", hold_rows_up_to=0.9))
    page = [row("1"), row("2", -5), row("3")]
    review = bench.held(page)
    declared(bench, cursor=None)
    judged_no_more(bench)
    let_go(bench, [*page, row("4")])
    assert bench.review(review.id).state is ReviewState.PENDING
    bench.release(bench.decide(review, Verb.APPROVE))
    assert there(bench) == ["1", "2", "3", "4"]


def test_without_the_cursor_what_was_put_away_long_ago_does_not_come_again(bench):
    page = [row("1"), row("2", -5), row("3")]
    bench.release(bench.decide(bench.held(page), Verb.APPROVE, exclude=("3",)))
    page.append(row("4", days=20))
    bench.run(page)
    judged_no_more(bench)
    declared(bench, cursor=None)
    page[0] = row("1", 11)  # what changes nothing would be taken for a replay
    let_go(bench, page)
    assert there(bench) == ["1", "2", "4"]
    page[0] = row("1", 12)
    assert bench.run(page).judged[0].review is None
    assert there(bench) == ["1", "2", "4"]
    page[2] = row("3", 11)
    bench.run(page)
    assert there(bench) == ["1", "2", "3", "4"]


def test_with_a_first_cursor_what_was_put_away_before_does_not_come_again(make_bench):
    bench = make_bench(WHOLE)
    declared(bench, cursor=None)
    page = [row("1"), row("2", -5), row("3")]
    bench.release(bench.decide(bench.held(page), Verb.APPROVE, exclude=("3",)))
    judged_no_more(bench)
    declared(bench, cursor="updated_at")
    let_go(bench, page)
    assert there(bench) == ["1", "2"]


def test_another_cursor_is_read_from_its_beginning(bench):
    """How far one column had come says nothing of what another one would have told."""
    bench.run([row("1"), row("2", days=20)])
    source = ByModified(windowed=True)
    declared(bench, cursor="modified", source=source)
    bench.source = source
    let_go(bench, [row("1", 99, changed=3), row("2", days=20)])
    assert there(bench, "amount") == [99, 10]
    assert bench.run([row("1", 99, changed=3), row("2", days=20)]).judged == ()


def test_under_another_key_what_was_put_away_does_not_come_again(make_bench):
    bench = make_bench(Policy(reviewers="team", hold_rows_up_to=0.9))
    declared(bench, cursor=None)
    page = [row("1"), row("2", -5), row("3")]
    bench.release(bench.decide(bench.held(page), Verb.REJECT))
    judged_no_more(bench)
    declared(bench, key="code")
    with bench.services.engine.begin() as conn:
        conn.exec_driver_sql("alter table shop.things drop constraint things_pkey")
        conn.exec_driver_sql("alter table shop.things add primary key (code)")
    let_go(bench, page)
    assert there(bench) == ["1", "3"]
    bench.run([row("1"), row("2", 5), row("3")])
    assert there(bench) == ["1", "2", "3"]


def test_nor_does_it_with_a_day_that_is_run_again(make_bench):
    bench = make_bench(WHOLE)
    declared(bench, days_from=START.date())
    day = day_named("2026-05-01")

    def run(page):
        bench.source.answer(page)
        bench.clock.advance(minutes=15)
        return flow.run_sync(bench.project, bench.sync, bench.services, MACHINE, day=day).judged

    page = [row("1"), row("2", -5), row("3")]
    (judged,) = run(page)
    bench.release(bench.decide(judged.review, Verb.REJECT))
    judged_no_more(bench)
    declared(bench, key="code")
    assert run(page) == ()
