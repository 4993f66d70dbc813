"""A failing expectation set aside for some rows, for a while, by people."""

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import dagster as dg
import pytest
import yaml

from tests.conftest import EXPECTED
from wfops_pipelines import Policy, reports, workbench
from wfops_pipelines.checks.suite import read_suite
from wfops_pipelines.core.people import People
from wfops_pipelines.core.reviews import Actor, ReviewKind, ReviewState, Verb
from wfops_pipelines.deciding import waiving
from wfops_pipelines.deciding.waiving import Asked
from wfops_pipelines.errors import AlreadyDecided, BadDecision, EvidenceChanged, NotAllowed
from wfops_pipelines.orchestration.identity import IDENTITY_TAG, sign
from wfops_pipelines.orchestration.steering_jobs import steering_jobs
from wfops_pipelines.report import failing_rows_csv, render_report
from wfops_pipelines.store import audit, snapshots

pytestmark = pytest.mark.components

START = datetime(2026, 5, 1, 9, tzinfo=UTC)
ANA, BOB = Actor("ana", verified=True), Actor("bob", verified=True)
NAME, AMOUNT = "name_not_be_null", "amount_between"


def row(id, name="a name", amount=10, minutes=0):
    moment = START + timedelta(minutes=minutes)
    return {"id": id, "name": name, "amount": amount, "updated_at": moment}


PAGE = [row("1"), row("2", None), row("3", None), row("4"), row("5")]


def later(minutes=30):
    return [{**r, "updated_at": START + timedelta(minutes=minutes)} for r in PAGE]


@pytest.fixture
def warned(make_bench, tmp_path):
    """A sync whose warnings hold, so that one person can waive them."""
    bench = make_bench(Policy(reviewers="team", hold_rows_up_to=0.5, warnings_hold=True))
    suite = tmp_path / "expectations" / "things.json"
    entries = [{**e, "severity": "warning"} for e in EXPECTED]
    suite.write_text(json.dumps({"name": "things", "expectations": entries}))
    project = replace(bench.project, suites={"things": read_suite(suite)})
    return replace(bench, project=project)


def asked(bench, expectation=None, **changes):
    with bench.services.engine.connect() as conn:
        hash_, body = snapshots.evidence(conn, "things", 1)
    names = [r["name"] for r in body["results"] if r["failed_rows"]]
    until = (bench.clock.now + timedelta(days=3)).date().isoformat()
    return replace(
        Asked("things", 1, expectation or names[0], hash_, until, "a known gap of the vendor"),
        **changes,
    )


def waive(bench, who=ANA, **changes):
    return waiving.waive(asked(bench, **changes), who, bench.project, bench.services)


def actions(bench, subject="things #1"):
    with bench.services.engine.connect() as conn:
        return [e["action"] for e in audit.trail(conn, subject)]


def test_a_waived_warning_lets_the_same_rows_go_next_time_and_says_so(warned):
    warned.held(PAGE)
    waive(warned)
    judged = warned.run(later()).judged[-1]
    assert judged.review is None
    assert {r[0] for r in warned.rows()} == {"1", "2", "3", "4", "5"}
    said = next(f for f in judged.evidence.findings if f.check.startswith("waived:"))
    assert said.keys == ("2", "3")
    assert "by ana until" in said.sentence
    assert "a known gap of the vendor" in said.sentence
    assert "waiver.granted" in actions(warned)


def test_other_rows_that_fail_are_held_as_ever(warned):
    warned.held(PAGE)
    waive(warned)
    review = warned.held([*later(), row("9", None, minutes=31)])
    assert review.keys == ("9",)


def test_another_expectation_of_the_same_row_holds_it_as_ever(warned):
    warned.held(PAGE)
    waive(warned)
    review = warned.held([*later()[:1], row("2", None, -5, minutes=40), row("6"), row("7")])
    assert review.keys == ("2",)
    assert "amount" in review.summary


def test_it_ends_at_its_day(warned):
    warned.held(PAGE)
    waive(warned)
    warned.clock.advance(days=3, hours=23 - warned.clock.now.hour, minutes=0)
    assert warned.run(later(30)).judged[-1].review is None
    warned.clock.advance(hours=2)
    assert warned.held(later(90)).keys == ("2", "3")


def test_a_person_can_end_it(warned):
    warned.held(PAGE)
    granted = waive(warned)
    waiving.end(granted.waiver.id, "mended", BOB, warned.services)
    assert warned.held(later()).keys == ("2", "3")
    assert actions(warned)[-1] == "waiver.ended"
    with pytest.raises(AlreadyDecided, match="ended already"):
        waiving.end(granted.waiver.id, "again", BOB, warned.services)


def test_only_some_of_the_rows(warned):
    warned.held(PAGE)
    waive(warned, rows=("3",))
    assert warned.held(later()).keys == ("2",)


def test_a_critical_expectation_needs_a_second_person(bench):
    bench.held(PAGE)
    asked_for = waive(bench)
    review = asked_for.review
    assert review is not None
    assert (review.kind, review.keys) == (ReviewKind.WAIVER, ("2", "3"))
    assert bench.held(later(30)).keys == ("2", "3")
    with pytest.raises(NotAllowed, match="four eyes"):
        bench.decide(review, Verb.APPROVE, "ana")
    bench.decide(review, Verb.APPROVE, "bob")
    assert bench.review(review.id).state is ReviewState.APPROVED
    assert bench.run(later(60)).judged[-1].review is None


def test_four_eyes_hold_for_an_unverified_name_too(bench):
    bench.held(PAGE)
    review = waive(bench, Actor("ana")).review
    with pytest.raises(NotAllowed, match="four eyes"):
        bench.decide(review, Verb.APPROVE, "ana")


def test_a_refused_waiver_lets_nothing_go(bench):
    bench.held(PAGE)
    review = waive(bench).review
    bench.decide(review, Verb.REJECT, "bob")
    assert bench.held(later()).keys == ("2", "3")


def test_rows_that_are_held_already_wait_for_their_own_decision_without_an_override(bench):
    held = bench.held(PAGE)
    bench.decide(waive(bench).review, Verb.APPROVE, "bob")
    assert bench.review(held.id).state is ReviewState.PENDING
    people = People({"team": frozenset({"ana", "bob"})}, {})
    bench = replace(bench, services=replace(bench.services, people=people))
    taken = bench.decide(held, Verb.APPROVE, "bob")
    assert taken.override == ()
    assert bench.release(taken).rows == 2


def test_without_the_waiver_the_same_approval_is_an_override(bench):
    held = bench.held(PAGE)
    waive(bench)  # asked for, and not granted yet
    people = People({"team": frozenset({"ana", "bob"})}, {})
    bench = replace(bench, services=replace(bench.services, people=people))
    with pytest.raises(NotAllowed, match="override"):
        bench.decide(held, Verb.APPROVE, "bob")


def test_a_changed_expectation_is_not_waived(warned, tmp_path):
    warned.held([row("1"), row("2", amount=-5), row("3")])
    waive(warned)
    suite = tmp_path / "expectations" / "things.json"
    body = json.loads(suite.read_text())
    body["expectations"][1]["kwargs"]["min_value"] = -1
    suite.write_text(json.dumps(body))
    changed = replace(warned.project, suites={"things": read_suite(suite)})
    review = replace(warned, project=changed).held([row("2", amount=-5, minutes=9), row("3"),
                                                    row("4")])  # fmt: skip
    assert review.keys == ("2",)


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"evidence": "0" * 64}, EvidenceChanged, "not what you were shown"),
        ({"expectation": "nonsense"}, BadDecision, "has no expectation 'nonsense'"),
        ({"reason": "  "}, BadDecision, "reason: is empty"),
        ({"until": "next week"}, BadDecision, "until: 'next week' is no day"),
        ({"until": "2026-05-31"}, BadDecision, "until: .* is over"),
        ({"until": "2028-01-01"}, BadDecision, "at most 366 days"),
        ({"rows": ("1",)}, BadDecision, "rows: '1' does not fail"),
        ({"seq": 7}, BadDecision, "snapshot: there is no examined snapshot 7"),
    ],
)
def test_a_wrong_request_says_what_is_wrong_and_changes_nothing(warned, changes, error, words):
    warned.held(PAGE)
    before = actions(warned)
    with pytest.raises(error, match=words):
        waive(warned, **changes)
    assert actions(warned) == before


def test_who_is_not_in_the_group_may_not(warned):
    warned.held(PAGE)
    with pytest.raises(NotAllowed, match="eve is not a member"):
        waive(warned, Actor("eve", verified=True))


def test_an_expectation_that_passed_needs_no_waiver(warned):
    warned.held([row("1", None), row("2"), row("3")])
    with warned.services.engine.connect() as conn:
        body = snapshots.evidence(conn, "things", 1)[1]
    passed = next(r["name"] for r in body["results"] if r["outcome"] == "passed")
    with pytest.raises(BadDecision, match="passed; there is nothing to waive"):
        waive(warned, expectation=passed)


SECRET = b"k" * 32


@pytest.fixture
def launch(warned, monkeypatch):
    """Run a job for ana, as the Launchpad does."""
    monkeypatch.setattr(workbench, "services", lambda: warned.services)
    monkeypatch.setattr(workbench, "project", lambda: warned.project)
    monkeypatch.setattr(workbench, "secret", lambda: SECRET)
    jobs = {j.name: j for j in steering_jobs(["team"])}

    def run(job, config):
        id = "11111111-2222-3333-4444-555555555555"
        return jobs[job].execute_in_process(
            run_config=config,
            run_id=id,
            tags={IDENTITY_TAG: sign(ANA, id, SECRET)},
            resources={"io_manager": dg.mem_io_manager},
            raise_on_error=False,
        )

    return run


def report(bench, seq=1):
    with bench.services.engine.connect() as conn:
        return reports.report(conn, bench.project, bench.services, "things", seq)


def test_the_report_leads_to_the_launchpad_in_which_only_until_and_reason_are_missing(
    warned, launch
):
    warned.held(PAGE)
    page = render_report(report(warned))
    (link,) = re.findall(r'href="(/locations/wfops/jobs/waive/[^"]+)"', page)
    config = yaml.safe_load(parse_qs(urlsplit(link).query)["config"][0])
    assert [k for k, v in config.items() if v is None] == ["until"]
    assert config["reason"] == ""
    config |= {"until": str(warned.clock.now.date()), "reason": "a known gap"}
    assert launch("waive", config).success
    assert "waived for 2 rows until 2026-06-01" in render_report(report(warned))
    assert warned.run(later()).judged[-1].review is None
    again = failing_rows_csv(report(warned, 2))
    assert "waived for 2 rows by ana" in again


def test_a_waiver_is_ended_from_the_launchpad_too(warned, launch):
    warned.held(PAGE)
    granted = waive(warned).waiver
    assert launch("end_waiver", {"waiver": granted.id, "reason": "mended"}).success
    assert warned.held(later()).keys == ("2", "3")


def test_the_file_beside_the_snapshot_leads_nowhere(warned):
    warned.held(PAGE)
    assert "jobs/waive" not in (warned.folder / "000001-report.html").read_text("utf-8")
