"""`wfops run --since`: what the ordinary extractions no longer reach is read again, once."""

import operator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from tests.conftest import MACHINE
from tests.destinations.contacts_api import contacts_api
from wfops_pipelines import Policy, flow, rest_destination
from wfops_pipelines.assist import tidy
from wfops_pipelines.core.reviews import Actor, Edit, Verb
from wfops_pipelines.errors import DestinationRefused, SettingsError, SourceRefused
from wfops_pipelines.failing import report_failure
from wfops_pipelines.reconciling.reconciliation import reconcile
from wfops_pipelines.staging.rereading import read_since
from wfops_pipelines.store import audit, reviews, snapshots
from wfops_pipelines.testing import FakeSource

pytestmark = pytest.mark.components

FIRST = datetime(2026, 5, 1, 9, tzinfo=UTC)
SINCE = datetime(2026, 5, 1, tzinfo=UTC)
LATER = datetime(2026, 6, 1, 11, tzinfo=UTC)


def row(id, amount=10, at=FIRST, name="a name"):
    return {"id": id, "name": name, "amount": amount, "updated_at": at}


class Timely(FakeSource):
    """Answers what lies in the window, as an API that can be asked for it."""

    ends = True  # whether it knows an end, too

    def pages(self, window, connection):
        for page in super().pages(window, connection):
            begun = [r for r in page if (window.start or SINCE) <= r["updated_at"]]
            yield [r for r in begun if not self.ends or r["updated_at"] < window.end]


@pytest.fixture
def bench(make_bench):
    bench = make_bench(Policy(reviewers="team", hold_rows_up_to=0.5, overlap_minutes=60))
    bench.source = Timely(windowed=True)
    bench.project.syncs["things"] = replace(bench.sync, source=bench.source)
    return bench


def read(bench, *pages, since=SINCE, run=MACHINE):
    bench.source.answer(*pages)
    bench.clock.advance(minutes=15)
    return flow.run_sync(bench.project, bench.sync, bench.services, run, since=since)


def head(bench):
    with bench.services.engine.connect() as conn:
        return snapshots.head(conn, "things")


@pytest.fixture
def rejected(bench):
    """A month ago a row was rejected; since then the cursor has gone on, and nothing recalls it."""
    bench.run([row("0"), row("2"), row("3")])
    held = bench.held([row("1", amount=-1, at=FIRST + timedelta(hours=1)), row("4"), row("5")])
    bench.release(bench.decide(held, Verb.REJECT))
    bench.run([row("9", at=LATER)])
    bench.run([row("10", at=LATER)])
    return bench


def test_a_mended_row_is_read_and_what_was_staged_before_is_not_staged_again(rejected):
    mended = row("1", amount=5, at=FIRST + timedelta(hours=1))
    passed = read(rejected, [row("0"), mended, row("2"), row("3"), row("4"), row("5")])
    assert [j.snapshot.rows for j in passed.judged] == [1]
    assert ("1", "a name", 5) in rejected.rows()
    assert reconcile(rejected.sync, rejected.services).missing == 0


@pytest.mark.parametrize("verb", [Verb.APPROVE, Verb.REJECT])
def test_what_was_dated_ahead_when_it_came_is_known_again_as_well(make_bench, verb):
    """The date from which is read may lie between when it was staged and what it is dated."""
    with contacts_api() as api:
        create = rest_destination("crm", "POST /contacts", body={"email": "{name}", "ref": "{id}"})
        policy = Policy(reviewers="team", scope="whole", overlap_minutes=60)
        bench = make_bench(policy, create, api.environ)
        bench.source = Timely(windowed=True)
        bench.source.ends = False
        bench.project.syncs["things"] = replace(bench.sync, source=bench.source)
        now, page = bench.clock(), []
        for id, amount, hours in (("1", 1, 0), ("2", -1, 0.1), ("ahead", 1, 5)):
            page.append(row(id, amount, now + timedelta(hours=hours), f"{id}@x"))
        bench.run(page[:1])
        bench.release(bench.decide(bench.held(page), verb))
        for hours in (24, 30, 40):
            bench.clock.now = now + timedelta(hours=hours)
            page.append(row(f"{hours}", 1, bench.clock(), f"{hours}@x"))
            bench.run(page)
        before = len(api.records)
        assert read(bench, page, since=now + timedelta(hours=3)).judged == ()
        assert len(api.records) == before


def test_it_reads_up_to_where_every_run_begins_and_then_as_ever(rejected):
    before = head(rejected).cursor
    mended = row("1", amount=5, at=FIRST + timedelta(hours=1))
    read(rejected, [mended, row("11", at=LATER + timedelta(minutes=5))])
    old, usual = [(w.start, w.end) for w in rejected.source.windows[-2:]]
    assert old == (SINCE, before - timedelta(hours=1))
    assert usual[0] == before - timedelta(hours=1)
    assert {r[0] for r in rejected.rows()} >= {"1", "11"}


def test_the_cursor_never_goes_back(rejected):
    before = head(rejected)
    read(rejected, [row("1", amount=5)])
    assert head(rejected).cursor == before.cursor
    assert head(rejected).seq == before.seq + 1


def test_what_was_rejected_and_is_as_it_was_is_not_asked_again(rejected):
    wrong = row("1", amount=-1, at=FIRST + timedelta(hours=1))
    assert read(rejected, [wrong]).judged == ()


def test_where_the_file_is_lost_that_tells_what_was_rejected_such_rows_wait(rejected):
    """No rule stands in their way any more: nothing but what a person decided."""
    suites = rejected.project.suites
    suites["things"] = replace(suites["things"], expectations=())
    with rejected.services.engine.connect() as conn:
        digest = snapshots.get(conn, "things", 2).digest
    (rejected.folder / f"{digest}.parquet").unlink()
    as_it_was = row("1", amount=-1, at=FIRST + timedelta(hours=1))
    (judged,) = read(rejected, [row("0"), as_it_was, row("4", 11), row("5")]).judged
    assert judged.review.keys == ("1",)
    assert [f.check for f in judged.evidence.findings if f.keys == ("1",)] == ["put_away"]
    assert rejected.rows("id, amount")[:2] == [("0", 10), ("10", 10)]


@pytest.mark.parametrize("moment", ["gather", "recalling.between"])
def test_a_run_that_stages_meanwhile_makes_it_forget_nothing(rejected, monkeypatch, moment):
    """An ordinary run forgets what no overlap reaches, which was remembered again just now."""
    import wfops_pipelines.staging.extraction as extraction

    wrong = row("1", amount=-1, at=FIRST + timedelta(hours=1))
    real, done = operator.attrgetter(moment)(extraction), []

    def meanwhile(*args, **more):
        if not done:
            done.append(True)
            rejected.source.answer([wrong, row("11", at=LATER + timedelta(minutes=5))])
            extraction.stage(rejected.sync, rejected.services, MACHINE.actor, None)
        return real(*args, **more)

    monkeypatch.setattr(f"{extraction.__name__}.{moment}", meanwhile)
    passed = read(rejected, [row("0"), wrong, row("2")])
    assert [j.snapshot.reread_by for j in passed.judged] == [None]
    assert ("1", "a name", -1) not in rejected.rows()


def test_an_answer_of_a_copy_that_lags_puts_nothing_old_over_what_is_newer(rejected):
    newer = row("2", amount=20, at=FIRST + timedelta(hours=2))
    read(rejected, [newer])
    passed = read(rejected, [row("2", amount=11, at=FIRST + timedelta(hours=1))])
    assert passed.judged[0].review is not None  # a person must tell
    assert ("2", "a name", 20) in rejected.rows()


def test_who_approves_an_edit_still_reads_that_nobody_knows_which_row_is_newer(rejected):
    read(rejected, [row("2", amount=20, at=FIRST + timedelta(hours=2))])
    passed = read(rejected, [row("2", amount=11, at=FIRST + timedelta(hours=1))])
    edits = (Edit("2", {"name": "other"}),)
    rejected.decide(passed.judged[0].review, Verb.APPROVE, edits=edits)
    (edited,) = flow.judge_staged(rejected.project, rejected.sync, rejected.services, MACHINE)
    assert {f.check for f in edited.evidence.findings} >= {"edited", "order"}


def test_a_row_of_an_extraction_that_saw_only_the_future_is_known_again(bench):
    """A clock that is ahead: the cursor stays behind such rows, and a person rejected them."""
    now = bench.clock()
    bench.run([row("0", at=FIRST)])
    bench.source.ends = False
    ahead = row("1", amount=-1, at=bench.clock() + timedelta(minutes=40))
    held = bench.held([ahead])
    bench.release(bench.decide(held, Verb.REJECT))
    for hours in (12, 24):
        bench.clock.advance(hours=12)
        bench.run([row(f"n{hours}", at=now + timedelta(hours=hours))])
    assert read(bench, [ahead], since=now).judged == ()


@pytest.mark.parametrize("standing", [True, False])
def test_what_a_standing_rule_tidied_is_known_as_the_source_told_it(bench, standing):
    assist = (tidy("name", "trim", standing=standing),)
    bench.project.syncs["things"] = replace(bench.sync, assist=assist)
    told = row("1", name=" a  name ", amount=-1, at=FIRST + timedelta(hours=1))
    bench.run([row("0"), row("2")])
    held = bench.held([told, row("3", name="so")])
    bench.release(bench.decide(held, Verb.REJECT))
    for _ in range(2):
        bench.run([row("9", at=LATER)])
    assert read(bench, [told, row("2")]).judged == ()


ODD = [
    {"id": "1", "n": None, "deep": {"a": [1, None], "b": None}, "list": [], "f": 1, "d": None},
    {"id": "2", "n": None, "deep": {"a": [], "b": "x"}, "list": [{"k": 1}], "f": 2.5, "d": FIRST},
    {"id": "3", "n": None, "deep": None, "list": None, "f": float("nan"), "d": None},
    {"id": "4", "n": None, "deep": {}, "list": [{"k": None}], "f": None, "d": LATER},
]


def test_values_of_all_kinds_are_known_again(bench):
    told = [{**row(r["id"], at=FIRST + timedelta(minutes=n)), **r} for n, r in enumerate(ODD)]
    bench.run(told)
    for _ in range(2):
        bench.run([{**told[0], "id": "9", "updated_at": LATER}])
    assert read(bench, told).judged == ()


def test_a_value_rejected_beside_one_of_another_type_is_known_again(bench):
    bench.run([row("0"), row("2")], [row("3")])
    at = FIRST + timedelta(hours=1)
    held = bench.held([row("1", 33, at), row("4", "33", at), row("5", "ten", at)])
    bench.release(bench.decide(held, Verb.REJECT))
    bench.run([row("9", at=LATER)])
    bench.run([row("10", at=LATER)])
    passed = read(bench, [row("1", 33, at), row("4", 33, at)])
    assert [j.snapshot.rows for j in passed.judged] == [1]
    assert [r[0] for r in bench.rows()] == ["0", "10", "2", "3", "4", "9"]


def test_a_value_that_is_not_there_in_one_part_of_a_mixed_column_is_known_again(bench):
    """A part that has the column as numbers has no text for the one that is missing."""
    bench.services = replace(bench.services, at_once=2)
    at = FIRST + timedelta(hours=1)
    told = [row("1", 33, at), row("4", None, at), row("5", "ten", at), row("6", "six", at)]
    bench.run([row("0"), row("2")], [row("3")])
    bench.release(bench.decide(bench.held(told[:2], told[2:]), Verb.REJECT))
    bench.run([row("9", at=LATER)])
    bench.run([row("10", at=LATER)])
    assert read(bench, told).judged == ()


def test_a_publication_that_fails_asks_once_whichever_way_it_was_read(rejected):
    error, services = DestinationRefused("no such column"), rejected.services
    assert report_failure(rejected.sync, "publishing", error, services, None)
    assert not report_failure(
        rejected.sync, "publishing", error, services, None, since="2026-05-01"
    )
    for since in ("", "2026-05-01"):
        report_failure(rejected.sync, "extraction", error, services, None, since=since)
    rejected.run([row("11", at=LATER)])
    with services.engine.connect() as conn:
        waiting = [r.summary.split(" failed")[0] for r in reviews.listed(conn)]
    assert waiting == ["extraction since 2026-05-01"]  # what was to be read from a date still is


def test_who_asked_is_in_the_audit_trail_even_where_nothing_came(rejected):
    assert read(rejected, [], run=flow.Run(Actor("ana"))).judged == ()
    with rejected.services.engine.connect() as conn:
        event = audit.trail(conn, "things")[-1]
    assert (event["action"], event["actor"]) == ("source.read_again", "ana")
    assert event["details"]["since"] == SINCE.isoformat()


def test_a_few_mended_rows_are_no_day_of_the_source(bench):
    for n in range(12):
        at = FIRST + timedelta(days=n)
        bench.run([row(f"{n}-{i}", amount=i, at=at + timedelta(minutes=i)) for i in range(50)])
    passed = read(bench, [row("0-7", amount=8, at=FIRST + timedelta(minutes=7))])
    assert [j.review for j in passed.judged] == [None]
    with bench.services.engine.connect() as conn:
        known = snapshots.published_profiles(conn, "things", 99, incremental=True)
    assert passed.judged[0].snapshot.seq not in known


def asked(bench, text):
    return read_since(bench.sync, text, bench.services)


def test_a_date_or_a_time_is_understood_as_utc(rejected):
    assert asked(rejected, "") is None
    assert asked(rejected, "2026-05-01") == SINCE
    assert asked(rejected, "2026-05-01T10:00:00+02:00") == datetime(2026, 5, 1, 8, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "said"), [("yesterday", "2026-05-01"), ("2031-01-01", "in the future")]
)
def test_what_is_no_date_of_the_past_is_refused(rejected, text, said):
    with pytest.raises(SettingsError, match=said):
        asked(rejected, text)


def test_where_it_means_nothing_the_error_says_what_to_do_instead(bench):
    def refused(**changes):
        bench.project.syncs["things"] = replace(bench.sync, **changes)
        with pytest.raises(SettingsError) as error:
            asked(bench, "2026-05-01")
        return str(error.value)

    assert "reads everything" in refused()  # nothing was staged yet
    assert "wfops run things --day" in refused(days_from=date(2026, 5, 1))
    assert "no cursor" in refused(cursor=None, days_from=None)


def test_a_source_that_answers_everything_each_time_needs_no_date(rejected):
    rejected.source.windowed = False
    with pytest.raises(SettingsError, match="each run reads all of it"):
        asked(rejected, "2026-05-01")


def test_a_date_that_every_run_reaches_is_refused_as_needless(rejected):
    with pytest.raises(SettingsError, match="every run reads from 2026-06-01"):
        asked(rejected, "2026-06-01T11:30")


def test_a_source_that_fails_leaves_everything_as_it_was(rejected):
    before = head(rejected)
    rejected.source.pages_, rejected.source.error = (), SourceRefused("the token is wrong")
    with pytest.raises(SourceRefused):
        flow.run_sync(rejected.project, rejected.sync, rejected.services, MACHINE, since=SINCE)
    assert head(rejected) == before
