"""The project declares another key, cursor or days: a person looks before rows go out again."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tests.conftest import MACHINE
from tests.destinations.contacts_api import contacts_api
from tests.flow.test_another_cursor import ByModified
from tests.flow.test_reading_since import Timely
from wfops_pipelines import Policy, flow, publishing, rest_destination, undoing
from wfops_pipelines.core.reviews import Actor, Verb
from wfops_pipelines.deciding import steering
from wfops_pipelines.errors import BadDecision, DestinationRefused, SettingsError
from wfops_pipelines.reconciling.proving import prove
from wfops_pipelines.store import snapshots
from wfops_pipelines.sync import day_named

pytestmark = pytest.mark.components

START = datetime(2026, 5, 1, 9, tzinfo=UTC)
WHOLE = Policy(reviewers="team", scope="whole", overlap_minutes=60)
ROWS = Policy(reviewers="team", hold_rows_up_to=0.9, overlap_minutes=60)
ONE, TWO = day_named("2026-05-01"), day_named("2026-05-02")
UPDATES = rest_destination(
    "crm", "POST /contacts", update="PATCH /contacts/{remote_id}",
    delete="DELETE /contacts/{remote_id}", read="GET /contacts/{remote_id}",
    record="contact", body={"email": "{name}", "ref": "{id}"},
)  # fmt: skip
CREATES = rest_destination("crm", "POST /contacts", body={"email": "{name}", "ref": "{id}"})


def row(id, amount=10, days=0, changed=0):
    moment, other = START + timedelta(days=days), START + timedelta(days=changed)
    columns = {"id": id, "name": "n@x", "amount": amount, "code": f"c{id}"}
    return {**columns, "updated_at": moment, "modified": other}


def declared(bench, **changes):
    bench.project.syncs["things"] = replace(bench.sync, **changes)


def of_day(bench, page, day):
    bench.source.answer(page)
    bench.clock.advance(minutes=15)
    (judged,) = flow.run_sync(bench.project, bench.sync, bench.services, MACHINE, day=day).judged
    return judged.review


def asked(review):
    """The words by which all of a snapshot waits for what was declared."""
    assert review is not None
    assert review.kind.value == "whole"
    return review.summary


def accounted(bench):
    proof = prove(bench.sync, bench.services)
    assert proof.misfits == ()
    assert proof.account.missing == 0


@pytest.fixture
def api():
    with contacts_api() as found:
        yield found


def test_under_another_key_nothing_is_created_again_unasked(make_bench, api):
    bench = make_bench(ROWS, CREATES, api.environ)
    bench.run([row("1"), row("2")])
    declared(bench, key="code")
    (judged,) = bench.run([row("1"), row("2"), row("3")]).judged
    assert "named by code now, and were by id" in asked(judged.review)
    assert api.made == 2
    (later,) = bench.run([row("1", 11), row("2"), row("3")]).judged
    assert "named by code now" in asked(later.review)  # nobody has let the first ones go
    bench.release(bench.decide(judged.review, Verb.APPROVE, exclude=("c1", "c2")))
    assert sorted(r["ref"] for r in api.records.values()) == ["1", "2", "3"]
    (after,) = bench.run([row("1", 12), row("2"), row("3")]).judged
    assert after.review is None


def test_it_is_asked_again_once_what_was_let_go_is_taken_back(make_bench, api):
    """Whoever saw records twice and took them back has not let the next ones go."""
    bench = make_bench(ROWS, UPDATES, api.environ)
    bench.run([row("1"), row("2")])
    declared(bench, key="code")
    (judged,) = bench.run([row("1"), row("2"), row("3")]).judged
    bench.release(bench.decide(judged.review, Verb.APPROVE))
    ana, bob = Actor("ana", verified=True), Actor("bob", verified=True)
    back = undoing.ask("things", 2, "twice", ana, bench.project, bench.services)
    bench.release(bench.decide(back, Verb.APPROVE, actor=bob))
    (after,) = bench.run([row("1", 12, days=1), row("2"), row("3")]).judged
    assert "named by code now, and were by id" in asked(after.review)
    assert sorted(r["ref"] for r in api.records.values()) == ["1", "2"]


def test_under_another_cursor_nothing_is_created_again_unasked(make_bench, api):
    bench = make_bench(ROWS, CREATES, api.environ)
    bench.source = Timely(windowed=True)
    declared(bench, source=bench.source)
    bench.run([row("1"), row("2", days=10)])
    bench.run([row("1"), row("2", days=10), row("3", days=20)])
    bench.source = ByModified(windowed=True)
    declared(bench, cursor="modified", source=bench.source)
    page = [row("1"), row("2", days=10), row("3", days=20), row("4", days=25, changed=25)]
    (judged,) = bench.run(page).judged
    assert "its cursor is modified now, and was updated_at" in asked(judged.review)
    assert api.made == 3


def test_what_was_put_away_waits_where_the_file_is_lost_that_could_tell(make_bench):
    bench = make_bench(WHOLE)
    bench.source = Timely(windowed=True)
    declared(bench, source=bench.source)
    bench.run([row("1"), row("2")])
    page = [row("1"), row("2"), row("3", -5, days=1), row("4", 20, days=1)]
    held = bench.held(page)
    bench.release(bench.decide(held, Verb.REJECT))
    for days in (20, 25):
        page.append(row(f"9{days}", days=days))
        bench.run(page)
    with bench.services.engine.connect() as conn:
        digest = snapshots.get(conn, "things", held.seq).digest
    (bench.folder / f"{digest}.parquet").unlink()
    bench.source = ByModified(windowed=True)
    declared(bench, cursor="modified", source=bench.source)
    page[2] = row("3", 5, days=26, changed=26)
    bench.run(page)
    assert "4" not in [r[0] for r in bench.rows("id")]


def test_each_day_waits_that_was_settled_under_another_key(make_bench):
    """Also what was rejected once other days had come under the new one."""
    bench = make_bench(WHOLE)
    declared(bench, days_from=START.date())
    of_day(bench, [row("1"), row("2")], ONE)
    page = [row("5", 11, days=1), row("6", -5, days=1), row("7", 12, days=1)]
    held = of_day(bench, page, TWO)
    declared(bench, key="code")
    first = of_day(bench, [row("1"), row("2"), row("3")], ONE)
    assert "up to #1" in asked(first)
    bench.release(bench.decide(held, Verb.REJECT))
    page[1] = row("6", 5, days=1)
    assert "up to #2" in asked(of_day(bench, page, TWO))


def test_the_first_run_of_each_day_waits_where_a_sync_is_partitioned_now(make_bench):
    bench = make_bench(ROWS)
    bench.run([row("1"), row("2", -5)])
    declared(bench, days_from=START.date())
    review = of_day(bench, [row("1", 11), row("2", -5)], ONE)
    assert "partitioned by day now, and was not" in asked(review)
    bench.release(bench.decide(review, Verb.APPROVE_CLEAN))
    assert bench.rows("id, amount") == [("1", 11)]
    assert of_day(bench, [row("1", 12)], ONE) is None
    assert "partitioned by day now" in asked(of_day(bench, [row("3", days=1)], TWO))
    accounted(bench)


def test_a_day_that_begins_later_has_nothing_of_before(make_bench):
    bench = make_bench(ROWS)
    bench.run([row("1"), row("2")])
    declared(bench, days_from=START.date())
    bench.clock.advance(minutes=2 * 1440)
    today = bench.clock()
    late = {**row("3"), "updated_at": today}
    assert of_day(bench, [late], day_named(f"{today.date()}")) is None


def under_way(bench):
    """Rows that were let go by one key, and wait while the sync is paused."""
    steering.pause(bench.name, "wait", Actor("ana", verified=True), bench.project, bench.services)
    bench.run([row("1", 11), row("2"), row("3", days=1)])
    steering.resume(bench.name, "go", Actor("ana", verified=True), bench.project, bench.services)


@pytest.mark.parametrize("cursor", ["updated_at", None])
def test_what_was_let_go_by_another_key_is_not_sent_to_an_api_by_this_one(make_bench, cursor):
    with contacts_api() as api:
        bench = make_bench(ROWS, UPDATES, api.environ)
        declared(bench, cursor=cursor)
        bench.run([row("1"), row("2")])
        under_way(bench)
        declared(bench, key="code")
        with pytest.raises(DestinationRefused, match=r"key 'id'.*Declare key='id' again"):
            publishing.publish_cleared(bench.sync, bench.services, MACHINE.actor)
        assert api.made == 2
        (judged,) = flow.stage_and_judge(bench.project, bench.sync, bench.services, MACHINE)
        assert "named by code now" in asked(judged.review)
        declared(bench, key="id")
        publishing.publish_cleared(bench.sync, bench.services, MACHINE.actor)
        assert sorted(r["ref"] for r in api.records.values()) == ["1", "2", "3"]


@pytest.mark.parametrize("verb", [Verb.APPROVE, Verb.APPROVE_CLEAN])
def test_what_waits_by_another_key_is_not_approved_for_an_api_and_can_be_rejected(
    make_bench, api, verb
):
    """An approval that cannot be carried out would stay in the way of all that comes after it."""
    bench = make_bench(replace(WHOLE, while_held="queue"), UPDATES, api.environ)
    bench.run([row("1"), row("2")])
    held = bench.held([row("3", -5), row("2", 20, days=1)])
    declared(bench, key="code")
    with pytest.raises(BadDecision, match=r"key 'id'.*Reject it, or declare key='id' again"):
        bench.decide(held, verb)
    bench.release(bench.decide(held, Verb.REJECT))
    (judged,) = bench.run([row("1"), row("2", 20, days=1), row("4", days=2)]).judged
    bench.release(bench.decide(judged.review, Verb.APPROVE, exclude=("c1",)))
    assert sorted(r["ref"] for r in api.records.values()) == ["1", "2", "4"]


def test_without_its_days_a_sync_does_not_run(make_bench):
    """What had come by days would count for newer than all that comes without, for ever."""
    bench = make_bench(ROWS)
    declared(bench, days_from=START.date())
    of_day(bench, [row("1")], ONE)
    declared(bench, days_from=None)
    with pytest.raises(SettingsError, match=r"was partitioned by day.*declare days_from again"):
        bench.run([row("1", 11)])
    declared(bench, days_from=START.date())
    of_day(bench, [row("1", 11)], ONE)
    assert bench.rows("id, amount") == [("1", 11)]


def test_what_waits_by_another_name_does_not_go_out_beside_itself(make_bench, api):
    bench = make_bench(WHOLE, CREATES, api.environ)
    held = bench.held([row("1"), row("2", -5)])
    declared(bench, key="code")
    (judged,) = bench.run([row("1"), row("2", 5)]).judged
    assert "named by code now" in asked(judged.review)
    bench.release(bench.decide(held, Verb.REJECT))
    bench.release(bench.decide(judged.review, Verb.APPROVE))
    assert sorted(r["ref"] for r in api.records.values()) == ["1", "2"]


def test_a_key_that_named_no_row_is_mended_without_asking(make_bench):
    """Nothing went out by it, and nothing that it named was put away."""
    bench = make_bench(ROWS)
    declared(bench, key="no_such")
    bench.source.answer([row("1")])
    (judged,) = flow.stage_and_judge(bench.project, bench.sync, bench.services, MACHINE)
    bench.release(bench.decide(judged.review, Verb.REJECT))
    declared(bench, key="id")
    (after,) = bench.run([row("1")]).judged
    assert after.review is None
    assert bench.rows("id") == [("1",)]
