"""Repairs are proposed, made only by an edit or a standing rule, and always in the evidence."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml

from wfops_pipelines import Policy
from wfops_pipelines.assist import tidy
from wfops_pipelines.core.drafts import Drafted, DraftState
from wfops_pipelines.core.findings import Severity
from wfops_pipelines.core.reviews import Edit, ReviewKind, Verb
from wfops_pipelines.core.verdict import Publish
from wfops_pipelines.preparing import advice
from wfops_pipelines.store import drafts
from wfops_pipelines.web import views

pytestmark = pytest.mark.components


def record(n: int, name: str, minute: int = 0) -> dict[str, Any]:
    return {"id": n, "name": name, "amount": 1, "updated_at": f"2026-06-01T10:{minute:02}:00Z"}


def tidying(make_bench: Any, *assistants: Any, **policy: Any) -> Any:
    bench = make_bench(Policy(reviewers="team", hold_rows_up_to=0.9, **policy))
    sync = replace(bench.sync, assist=assistants or (tidy("name", "trim"),))
    bench.project = replace(bench.project, syncs={"things": sync})
    return bench


def kept(bench: Any, seq: int = 1) -> list[Drafted]:
    with bench.services.engine.connect() as conn:
        return drafts.of_snapshot(conn, "things", seq)


def page(bench: Any, review: Any) -> dict[str, Any]:
    with bench.services.engine.connect() as conn:
        return views.review_view(conn, bench.project, bench.services, review)


def test_only_the_untidy_row_waits_and_it_stays_as_it_came(make_bench):
    bench = tidying(make_bench)
    review = bench.held([record(1, "Ann"), record(2, " Bo ")])
    assert (review.kind, review.keys) == (ReviewKind.ROWS, ("2",))
    assert "name could be tidied in 1 row by rule trim 2: “ Bo ” → “Bo”" in review.summary
    assert bench.rows("id, name") == [(1, "Ann")]
    bench.release(bench.decide(review, Verb.APPROVE))
    assert bench.rows("id, name") == [(1, "Ann"), (2, " Bo ")]
    assert [d.state for d in kept(bench)] == [DraftState.REFUSED]


def test_the_page_makes_the_repair_in_one_launch_and_somebody_else_approves(make_bench):
    bench = tidying(make_bench)
    review = bench.held([record(1, "Ann"), record(2, " Bo "), record(3, "Cy ")])
    shown = page(bench, review)
    config = yaml.safe_load(parse_qs(urlsplit(shown["repairs"]).query)["config"][0])
    assert config["edits"] == [
        {"key": "2", "set": {"name": "Bo"}},
        {"key": "3", "set": {"name": "Cy"}},
    ]
    edits = [Edit(e["key"], e["set"]) for e in config["edits"]]
    bench.decide(review, Verb.APPROVE, edits=edits)
    assert [d.state for d in kept(bench)] == [DraftState.ACCEPTED] * 2
    again = bench.held()
    assert "could be tidied" not in again.summary
    with pytest.raises(Exception, match="ana"):
        bench.decide(again, Verb.APPROVE)
    bench.release(bench.decide(again, Verb.APPROVE, who="bob"))
    assert bench.rows("id, name") == [(1, "Ann"), (2, "Bo"), (3, "Cy")]
    assert [d.state for d in kept(bench)] == [DraftState.ACCEPTED] * 2


def test_each_row_says_its_own_repair(make_bench):
    bench = tidying(make_bench)
    review = bench.held([record(1, "Ann"), record(2, " Bo "), record(3, "Cy  ")])
    why = {row["key"]: row["reasons"] for row in page(bench, review)["held"]["rows"]}
    assert why["2"] == ["name could be tidied: “ Bo ” → “Bo” (blanks around or within it)"]
    assert why["3"] == ["name could be tidied: “Cy  ” → “Cy” (blanks around or within it)"]


def test_another_value_than_the_proposed_one_is_an_edit(make_bench):
    bench = tidying(make_bench)
    review = bench.held([record(1, "Ann"), record(2, " Bo ")])
    bench.decide(review, Verb.APPROVE, edits=[Edit("2", {"name": "Bob"})])
    assert [d.state for d in kept(bench)] == [DraftState.EDITED]


def test_a_standing_rule_repairs_before_staging_and_says_so(make_bench):
    bench = tidying(make_bench, tidy("name", "trim", standing=True))
    judged = bench.run([record(1, "Ann"), record(2, " Bo ")]).judged[0]
    assert isinstance(judged.verdict, Publish)
    assert bench.rows("id, name") == [(1, "Ann"), (2, "Bo")]
    (found,) = [f for f in judged.evidence.findings if f.check == "preparation"]
    assert found.severity is Severity.INFO
    assert found.details["changes"] == [["2", " Bo ", "Bo", "blanks around or within it"]]
    assert [d.state for d in kept(bench)] == [DraftState.APPLIED]
    assert bench.run([record(2, " Bo ")]).judged == ()


def test_a_rule_that_crashes_holds_what_it_did_not_see(make_bench):
    broken = replace(tidy("name", "trim"), rule="none such")
    bench = tidying(make_bench, broken)
    review = bench.held([record(1, "Ann")])
    assert "name could not be looked at: the assistant failed" in review.summary
    assert bench.rows() == []


def test_rules_that_were_accepted_often_and_never_refused_are_named(make_bench):
    bench = tidying(make_bench)

    def said() -> list[str]:
        with bench.services.engine.connect() as conn:
            return advice(conn, bench.sync)

    for n in range(5):
        assert "accepted" in " ".join(said()) or n == 0
        rows = [record(10 * n, "Ann", n), record(10 * n + 1, " Bo ", n)]
        bench.decide(bench.held(rows), Verb.APPROVE, edits=[Edit(str(10 * n + 1), {"name": "Bo"})])
    assert said() == [
        'tidy("name", "trim"): accepted 5 times, never refused. '
        'Make it standing: tidy("name", "trim", standing=True)'
    ]
    bench.release(
        bench.decide(bench.held([record(99, " Cy ", 9), record(98, "D", 9)]), Verb.REJECT)
    )
    assert said() == ['tidy("name", "trim"): accepted 5 times, refused 1 time']
