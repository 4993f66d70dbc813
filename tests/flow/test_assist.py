"""What assistants propose is staged, shown and inert: only a decision lets it go."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wfops_pipelines import Policy, table
from wfops_pipelines.assist import classify, draft, rows_of
from wfops_pipelines.core.drafts import Drafted, DraftState
from wfops_pipelines.core.reviews import Edit, Verb
from wfops_pipelines.core.verdict import Hold
from wfops_pipelines.store import drafts

pytestmark = pytest.mark.components
WORDS = {"cash": "money paid bill invoice price", "door": "login password locked key access"}


def record(n: int, name: str = "Ann", minute: int = 0) -> dict[str, Any]:
    at = f"2026-06-01T10:{minute:02}:00Z"
    return {"id": n, "name": name, "amount": 1.0, "note": "my password", "updated_at": at}


@pytest.fixture
def seed(tmp_path: Path) -> Path:
    file = tmp_path / "seed.jsonl"
    lines = [
        {"text": f"{' '.join(words.split()[i % 3 : i % 3 + 3])} {i}", "label": label}
        for label, words in WORDS.items()
        for i in range(8)
    ]
    file.write_text("\n".join(map(json.dumps, lines)), "utf-8")
    return file


@pytest.fixture
def assisted(make_bench: Any, tmp_path: Path) -> Callable[..., Any]:
    """A bench whose sync drafts `reply` by a template of this text, and what else is given."""

    def make(text: str = "Dear {{ row.name }}, thanks.", *more: Any, **changes: Any) -> Any:
        file = tmp_path / "reply.jinja"
        file.write_text(text, "utf-8")
        policy = changes.pop("policy", Policy(reviewers="team", hold_rows_up_to=1.0))
        bench = make_bench(policy=policy, **changes)
        asked = draft("reply", template=file, context=dict(CONTEXT), name="name")
        sync = replace(bench.sync, assist=(*more, asked))
        bench.project = replace(bench.project, syncs={"things": sync})
        return bench

    return make


CONTEXT = {
    "customer": rows_of("crm.people", match={"name": "name"}, columns=("name", "city")),
}


def kept(bench: Any, seq: int = 1) -> list[Drafted]:
    with bench.services.engine.connect() as conn:
        return drafts.of_snapshot(conn, "things", seq)


def test_a_drafted_row_waits_and_an_approval_releases_the_draft_word_for_word(assisted):
    bench = assisted()
    review = bench.held([record(1), record(2, "Bo")])
    assert "reply was drafted in 2 rows by template reply.jinja" in review.summary
    assert bench.rows() == []
    assert [d.state for d in kept(bench)] == [DraftState.PROPOSED] * 2
    bench.release(bench.decide(review, Verb.APPROVE, exclude=("2",)))
    assert bench.rows("id, reply") == [(1, "Dear Ann, thanks.")]
    assert [d.state for d in kept(bench)] == [DraftState.ACCEPTED, DraftState.REFUSED]


def test_a_rejection_refuses_the_drafts(assisted):
    bench = assisted()
    bench.release(bench.decide(bench.held([record(1)]), Verb.REJECT))
    assert bench.rows() == []
    assert [d.state for d in kept(bench)] == [DraftState.REFUSED]


def test_an_edited_draft_is_approved_by_somebody_else(assisted):
    bench = assisted()
    review = bench.held([record(1), record(2)])
    edits = (Edit("1", {"reply": "Dear Ann, no."}),)
    bench.decide(review, Verb.APPROVE, edits=edits)
    again = bench.held()
    with pytest.raises(Exception, match="ana"):
        bench.decide(again, Verb.APPROVE)
    bench.release(bench.decide(again, Verb.APPROVE, who="bob"))
    assert bench.rows("id, reply") == [(1, "Dear Ann, no."), (2, "Dear Ann, thanks.")]
    assert [d.state for d in kept(bench)] == [DraftState.EDITED, DraftState.ACCEPTED]
    assert kept(bench)[0].draft.value == "Dear Ann, thanks."


def test_a_row_read_again_is_not_drafted_again(assisted):
    bench = assisted()
    bench.held([record(1)])
    assert bench.run([record(1)]).judged == ()


def test_a_draft_knows_what_the_customer_is_elsewhere_and_shows_it(assisted):
    bench = assisted("Dear {{ row.name }} in {{ customer[0].city if customer else '?' }}")
    with bench.services.engine.begin() as conn:
        conn.execute(sa.text("create schema crm"))
        conn.execute(sa.text("create table crm.people (name text, city text, secret text)"))
        conn.execute(sa.text("insert into crm.people values ('Ann', 'Ulm', 's3cr3t')"))
    bench.held([record(1), record(2, "Bo")])
    first, second = kept(bench)
    assert first.draft.value == "Dear Ann in Ulm"
    assert ("customer", "name: Ann\ncity: Ulm") in first.draft.sources
    assert second.draft.value == "Dear Bo in ?"
    assert ("customer", "nothing found") in second.draft.sources
    assert "s3cr3t" not in str(kept(bench))


def test_a_masked_column_reaches_no_draft_and_no_source(assisted):
    policy = Policy(reviewers="team", masked=("note",), hold_rows_up_to=1.0)
    bench = assisted("Dear {{ row.name }} {{ row.note is defined }}", policy=policy)
    bench.held([record(1)])
    assert kept(bench)[0].draft.value == "Dear Ann False"
    assert "my password" not in str(kept(bench))


@pytest.mark.parametrize(
    "text",
    ["{{ nothing }}", "{% for x in", "{{ row.__class__.__mro__ }}", "{{ 1 / 0 }}"],
    ids=["undefined", "syntax", "escape", "arithmetic"],
)
def test_an_assistant_that_fails_holds_its_rows_and_loses_none(assisted, text):
    bench = assisted(text)
    judged = bench.run([record(1)]).judged[0]
    assert isinstance(judged.verdict, Hold)
    assert "the assistant failed" in judged.review.summary
    assert bench.rows() == []
    bench.release(bench.decide(judged.review, Verb.APPROVE))
    assert bench.rows("id, reply") == [(1, None)]


HOSTILE = {
    "markup": "<script>alert(1)</script>", "template": "{{ 7 * 7 }}{% raw %}",
    "hidden": "a\x00b\u202e\u200bc\x1b[31m", "escape": "\\x00'; drop table wfops.drafts; --",
}  # fmt: skip


def test_hostile_texts_are_staged_drafted_and_sent_as_mere_text(assisted):
    bench = assisted("Dear {{ row.name }}, you wrote: {{ row.note }}")
    rows = [{**record(n), "note": note} for n, note in enumerate(HOSTILE.values(), 1)]
    review = bench.held(rows)
    hidden = kept(bench)[2].draft.value
    assert hidden == "Dear Ann, you wrote: a\ufffdb\ufffd\ufffdc\ufffd[31m"
    bench.release(bench.decide(review, Verb.APPROVE, exclude=("3",)))
    sent = {text[len("Dear Ann, you wrote: ") :] for _, text in bench.rows("id, reply")}
    assert sent == {HOSTILE["markup"], HOSTILE["template"], HOSTILE["escape"]}
    assert "\x00" not in str(kept(bench))


def test_a_row_that_cannot_be_drafted_for_leaves_the_others_their_drafts(assisted):
    bench = assisted("{% if row.note == 'odd' %}{{ row.none_such }}{% endif %}Dear {{ row.name }}")
    long = {**record(3), "name": "x" * 9000}
    review = bench.held([record(1), {**record(2), "note": "odd"}, long])
    assert [d.draft.value for d in kept(bench)] == ["Dear Ann", None, None]
    assert "2 rows without a proposal" in review.summary
    assert "none_such" in kept(bench)[1].draft.fallback
    assert "more than 8,000 characters" in kept(bench)[2].draft.fallback
    assert len(kept(bench)[2].draft.sources[0][1]) < 10_000


@pytest.mark.parametrize("blank", ["", "  ", None])
def test_nothing_belongs_to_a_customer_without_a_name(assisted, blank):
    bench = assisted("Dear you {{ customer }}")
    with bench.services.engine.begin() as conn:
        conn.execute(sa.text("create schema crm"))
        conn.execute(sa.text("create table crm.people (name text, city text)"))
        conn.execute(sa.text("insert into crm.people values ('', 'Ulm'), ('  ', 'Bonn')"))
    bench.held([{**record(1), "name": blank}])
    assert kept(bench)[0].draft.value == "Dear you []"


def test_nothing_is_drafted_for_a_row_that_the_source_deleted(assisted):
    bench = assisted()
    gone = replace(bench.sync, deleted="gone")
    bench.project = replace(bench.project, syncs={"things": gone})
    bench.held([{**record(1), "gone": False}, {**record(2), "gone": True}])
    assert [d.key for d in kept(bench)] == ["1"]


def test_each_row_is_known_again_where_deleted_ones_and_those_without_a_key_stand_between(assisted):
    """Else a row that was rejected comes again under the version of another one."""
    bench = assisted()
    gone = replace(bench.sync, deleted="gone")
    bench.project = replace(bench.project, syncs={"things": gone})
    told = [{**record(n, f"Ann {n}"), "gone": n % 2 > 0} for n in range(1, 6)]
    bench.held(told)
    assert bench.run(told).judged == ()
    assert bench.run([told[1]]).judged == ()


@pytest.mark.slow
def test_a_label_is_proposed_where_it_is_sure_and_left_to_a_person_where_not(assisted, seed):
    bench = assisted(
        "Dear {{ row.name }}", classify("topic", text=("note",), seed=seed, at_least=0.7)
    )
    odd = {**record(2), "note": "zzz"}
    bench.held([record(1), odd])
    labels = {d.key: d.draft for d in kept(bench) if d.draft.column == "topic"}
    assert labels["1"].value == "door"
    assert labels["1"].confidence > 0.6
    assert labels["2"].value is None
    assert labels["2"].why.startswith("too unsure, a person labels")


@pytest.mark.slow
def test_accepted_labels_teach(assisted, seed):
    bench = assisted(
        "Dear {{ row.name }}", classify("topic", text=("note",), seed=seed, at_least=0.7)
    )
    odd = [{**record(n), "note": f"zebra stripes number {n}"} for n in range(1, 9)]
    review = bench.held(odd)
    bench.decide(review, Verb.APPROVE, edits=[Edit(str(n), {"topic": "cash"}) for n in range(1, 9)])
    bench.release(bench.decide(bench.held(), Verb.APPROVE, who="bob"))
    bench.held([{**record(20, minute=30), "note": "zebra stripes again"}])
    label = next(d.draft for d in kept(bench, 3) if d.draft.column == "topic")
    assert (label.value, "8 accepted rows" in label.model) == ("cash", True)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    scope=st.sampled_from(["rows", "whole"]),
    share=st.sampled_from([0.0, 0.5, 1.0]),
    warnings=st.booleans(),
    queue=st.sampled_from(["pass", "queue"]),
    sizes=st.lists(st.integers(1, 4), min_size=1, max_size=3),
)
def test_nothing_drafted_is_published_without_a_decision(
    assisted, scope, share, warnings, queue, sizes
):
    """Under every policy, whatever runs: the destination stays empty until a person decides."""
    bench = assisted(
        policy=Policy(
            reviewers="team", scope=scope, hold_rows_up_to=share, warnings_hold=warnings,
            while_held=queue,
        ),
        destination=table("shop.things"),
    )  # fmt: skip
    with bench.services.engine.begin() as conn:
        conn.execute(sa.text("drop schema if exists shop cascade"))
        conn.execute(sa.text("truncate wfops.streams, wfops.snapshots cascade"))
        conn.execute(sa.text("truncate wfops.reviews, wfops.staged_rows"))
    key = 0
    for at, size in enumerate(sizes):
        page = [record(key + n, minute=at) for n in range(size)]
        key += size
        passed = bench.run(page)
        assert all(isinstance(j.verdict, Hold) for j in passed.judged)
        assert all(p.rows == 0 for p in passed.publications)
        bench.run()
    assert bench.rows() == []
