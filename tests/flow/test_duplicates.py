"""A row that is probably there already waits, and whoever decides leaves it out or lets it go."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml

from wfops_pipelines import Policy
from wfops_pipelines.assist import duplicates
from wfops_pipelines.assist.alike import propose
from wfops_pipelines.core.drafts import DraftState
from wfops_pipelines.core.reviews import Verb
from wfops_pipelines.store import drafts
from wfops_pipelines.web import views

ASKED = duplicates(("name", "firm"))


def record(n: int, name: str, firm: str | None = "Acme GmbH", minute: int = 0) -> dict[str, Any]:
    at = f"2026-06-01T10:{minute:02}:00Z"
    return {"id": n, "name": name, "firm": firm, "amount": 1, "updated_at": at}


@pytest.mark.parametrize(
    ("name", "firm", "same"),
    [
        ("Anna Bell", "Acme GmbH", "1"),
        ("Bell Anna", "ACME  gmbh", "1"),
        ("Anna Bel", "Acme GmbH.", "1"),
        ("Anna Bell", "Other Ltd", None),
        ("Berta Bull", "Acme GmbH", None),
        ("Anna Bell", None, None),
        ("", "", None),
    ],
)
def test_alike_in_every_compared_column_is_probably_the_same(name, firm, same):
    (found,) = propose(ASKED, "id", [record(2, name, firm)], [record(1, "Anna Bell")])
    assert (found and found.value) == same


def test_a_row_is_not_its_own_duplicate_and_the_earlier_one_is_the_original():
    new = [record(1, "Anna Bell"), record(2, "Anna Bell"), record(3, "Zoe Quist")]
    found = propose(ASKED, "id", new, [record(1, "Anna Bell")])
    assert [f and f.value for f in found] == [None, "1", None]
    assert "100 % alike in name, firm" in found[1].why


@pytest.fixture
def bench(make_bench: Any) -> Any:
    made = make_bench(Policy(reviewers="team", hold_rows_up_to=0.9))
    made.project = replace(made.project, syncs={"things": replace(made.sync, assist=(ASKED,))})
    made.run([record(1, "Anna Bell"), record(2, "Zoe Quist")])
    return made


def states(bench: Any, seq: int) -> list[DraftState]:
    with bench.services.engine.connect() as conn:
        return [d.state for d in drafts.of_snapshot(conn, "things", seq)]


@pytest.mark.components
def test_one_launch_leaves_the_duplicate_out_and_lets_the_rest_go(bench):
    page = [record(3, "Anna Bel"), record(4, "Cy Dee"), {**record(5, "Eve Fox"), "amount": -1}]
    review = bench.held([{**row, "updated_at": "2026-06-01T10:05:00Z"} for row in page])
    assert review.keys == ("3", "5")
    assert "1 row may be there already under another key: 3 is like 1" in review.summary
    with bench.services.engine.connect() as conn:
        shown = views.review_view(conn, bench.project, bench.services, review)
    config = yaml.safe_load(parse_qs(urlsplit(shown["twice"]).query)["config"][0])
    assert (config["decision"], config["exclude"]) == ("approve", ["3"])
    bench.release(bench.decide(review, Verb.APPROVE, exclude=tuple(config["exclude"])))
    assert [i for (i,) in bench.rows("id")] == [1, 2, 4, 5]
    assert states(bench, 2) == [DraftState.ACCEPTED]


@pytest.mark.components
def test_where_only_duplicates_wait_the_link_rejects_them(bench):
    review = bench.held([record(3, "Anna Bel", minute=5), record(4, "Cy Dee", minute=5)])
    with bench.services.engine.connect() as conn:
        shown = views.review_view(conn, bench.project, bench.services, review)
    config = yaml.safe_load(parse_qs(urlsplit(shown["twice"]).query)["config"][0])
    assert config["decision"] == "reject"
    bench.release(bench.decide(review, Verb.REJECT))
    assert states(bench, 2) == [DraftState.ACCEPTED]


@pytest.mark.components
def test_a_pair_that_a_person_let_go_is_not_proposed_again(bench):
    review = bench.held([record(3, "Anna Bel", minute=5), record(4, "Cy Dee", minute=5)])
    bench.release(bench.decide(review, Verb.APPROVE))
    assert states(bench, 2) == [DraftState.REFUSED]
    (again,) = bench.run([{**record(3, "Anna Bel", minute=9), "amount": 2}]).judged
    assert again.review is None
