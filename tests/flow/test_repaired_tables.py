"""What a table would refuse is said first, and asked anew once a person decides about it."""

import html
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import unquote

import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient
from typer.testing import CliRunner

from tests.web.conftest import application
from wfops_pipelines import Policy, cli, workbench
from wfops_pipelines.core.people import People
from wfops_pipelines.core.reviews import ReviewKind, Verb
from wfops_pipelines.deciding import asking
from wfops_pipelines.errors import NotAllowed
from wfops_pipelines.store import audit, reviews

pytestmark = pytest.mark.components

WIDER = "alter table shop.things alter column amount type numeric"
REPAIR = '`alter table "shop"."things" alter column "amount" type numeric` makes room for fractions'


def row(id, amount=10, minutes=0, name="a name"):
    moment = datetime(2026, 5, 1, 9, tzinfo=UTC) + timedelta(minutes=minutes)
    return {"id": id, "name": name, "amount": amount, "updated_at": moment}


CENTS = [row("2", 10.5, 5), row("3", -1.5, 5), row("4", 20, 5, name=None)]


@pytest.fixture
def opened(make_bench, monkeypatch):
    """A bench whose table holds whole numbers, and `.say(*words)` of wfops on it."""
    bench = make_bench(Policy(reviewers="team", hold_rows_up_to=0.5))
    bench.run([row("1"), row("0")])
    monkeypatch.setattr(cli, "_open", lambda: (None, bench.project, bench.services))
    monkeypatch.setattr(cli, "_sign", lambda services: None)
    bench.services.environ["WFOPS_DEVELOPER"] = "ana"

    def say(*words):
        bench.clock.advance(minutes=15)
        return CliRunner().invoke(cli.app, list(words)).output

    bench.say = say
    return bench


@pytest.fixture
def page(opened, monkeypatch):
    """The review page of the one request that waits."""

    def get():
        monkeypatch.setattr(workbench, "services", lambda: opened.services)
        monkeypatch.setattr(workbench, "project", lambda: opened.project)
        monkeypatch.setattr(workbench, "secret", lambda: b"k" * 32)
        return TestClient(application()).get(f"/wfops/r/{pending(opened).id}").text

    return get


def alter(bench, sql=WIDER):
    with bench.services.engine.begin() as conn:
        conn.execute(sa.text(sql))


def pending(bench):
    with bench.services.engine.connect() as conn:
        return reviews.listed(conn)[0]


def without_roles(bench):
    bench.services = replace(bench.services, people=People(bench.services.people.groups))


def test_that_publishing_would_fail_comes_first_with_its_repair(opened, page):
    opened.source.answer(CENTS)
    first, *commands = opened.say("run", "things").splitlines()
    assert re.search(r"held: 3 of 3 rows held: \d rows? \(.*\) cannot be written", first)
    assert REPAIR in first
    assert "more findings)" in first
    (report,) = opened.folder.glob("000002-report.html")
    findings = html.unescape(report.read_text("utf-8")).partition("Other findings")[2]
    assert REPAIR in findings[:800], findings[:2500]
    assert (
        "publishes all of it as it is, but not yet: the table shop.things would refuse"
        in (commands[1])
    )
    listed = opened.say("reviews")
    assert REPAIR in listed
    assert "approve publishes nothing yet: the table shop.things would refuse" in listed
    said = page()
    why = said.partition("Why it is held")[2]
    assert "cannot be written" in why.partition("</li>")[0]
    assert "Approving publishes nothing yet" in said
    launchpad = unquote(re.search(r'href="([^"]*jobs/decide/[^"]*)"', said)[1])
    assert "# this publishes nothing yet: the table shop.things would refuse" in launchpad


def test_once_the_table_is_repaired_an_approval_sets_nothing_of_it_aside(opened, page):
    opened.source.answer([row("2", 10.5, 5), row("3", 11, 5)])
    assert "an override of the failed critical check unsendable" in opened.say("run", "things")
    assert "is an override of the failed critical check unsendable" in page()
    alter(opened)
    said = opened.say("reviews")
    assert "asked again now, the table shop.things takes what it would have refused" in said
    assert "override" not in said
    assert "not yet" not in page()
    assert "Since then: asked again now" in page()
    without_roles(opened)
    review = pending(opened)
    done = opened.say("decide", review.id, "approve", "--reason", "cents are right")
    assert "override" not in done
    assert "published 2 rows" in done
    assert not [r for r in _waiting(opened) if r.kind is ReviewKind.AFTER]
    (decided,) = [e for e in _trail(opened) if e["details"].get("verb")]
    assert decided["details"]["override"] == []
    assert decided["details"]["asked_anew"] is True


def test_what_is_refused_still_or_cannot_be_asked_stands(opened, monkeypatch):
    opened.source.answer([row("2", 10.5, 5), row("3", 11, 5)])
    opened.say("run", "things")
    without_roles(opened)
    review = pending(opened)
    with pytest.raises(NotAllowed, match="despite the failed critical check unsendable"):
        opened.decide(review, Verb.APPROVE)
    alter(opened)
    monkeypatch.setattr(asking, "read_refused", lambda *_: 1 / 0)
    with pytest.raises(NotAllowed, match="despite the failed critical check unsendable"):
        opened.decide(review, Verb.APPROVE)
    assert "approve is an override" in opened.say("reviews")


def test_a_table_that_is_being_altered_keeps_nobody_waiting(opened, monkeypatch):
    monkeypatch.setattr("wfops_pipelines.examining.history.PATIENCE", 0.1)
    opened.source.answer([row("2", 10.5, 5), row("3", 11, 5)])
    opened.say("run", "things")
    with opened.services.engine.begin() as conn:
        conn.execute(sa.text(WIDER))
        assert "approve is an override" in opened.say("reviews")
    assert "override" not in opened.say("reviews")


@pytest.mark.parametrize("few", [1, 1000])
def test_of_many_rows_some_are_asked_about_first_and_all_before_it_is_believed(
    opened, monkeypatch, few
):
    """The second row is refused still: a look at the first one alone must not let it by."""
    monkeypatch.setattr(asking, "FEW", few)
    opened.source.answer([row("2", 10.5, 5), row("3", 2_000_000_000.5, 5)])
    opened.say("run", "things")
    alter(opened, "alter table shop.things alter column amount type numeric(6,2)")
    assert "approve is an override" in opened.say("reviews")
    alter(opened)
    assert "override" not in opened.say("reviews")


def _waiting(bench):
    with bench.services.engine.connect() as conn:
        return reviews.listed(conn)


def _trail(bench):
    with bench.services.engine.connect() as conn:
        return audit.trail(conn, "things #2")
