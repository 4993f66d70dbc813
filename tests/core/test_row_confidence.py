"""The chance that a row is let go: prior, weight of a decision, and that it comes true."""

import random

from wfops_pipelines.core.causes import causes_of_rows
from wfops_pipelines.core.findings import Finding, Severity
from wfops_pipelines.core.row_confidence import RowOutcome, RowRecord


def test_where_no_row_like_it_was_decided_there_is_no_number_to_show():
    found = RowRecord([]).confidence("drafted: reply")
    assert (found.chance, found.shown, found.words) == (0.5, None, "no flagged row was decided yet")
    known = RowRecord([RowOutcome("a", 9, 1)])
    assert known.confidence("b").shown is None
    assert known.confidence("a").shown == known.confidence("a").chance


def test_many_rows_approved_at_once_are_one_answer():
    crowd = RowRecord([RowOutcome("a", 500, 0)]).confidence("a")
    single = RowRecord([RowOutcome("a", 1, 0)]).confidence("a")
    assert crowd.chance == single.chance < 0.7
    assert crowd.words == "100% of rows like it were let go (1 decision)"


def test_its_own_cause_counts_more_than_the_syncs_other_rows():
    known = RowRecord([RowOutcome("a", 9, 1)] * 20 + [RowOutcome("b", 0, 3)] * 20)
    assert known.confidence("a").chance > 0.7 > 0.25 > known.confidence("b").chance
    assert 0.4 < known.confidence("c").chance < 0.5
    assert known.confidence("c").words.startswith("none like it yet; 45% of this sync's")


def test_it_comes_true_for_reviewers_who_go_by_the_cause():
    rng = random.Random(11)
    rates = {f"cause {c}": rng.random() for c in "abcdefgh"}
    told, past = [], []
    for n in range(400):
        cause = rng.choice(sorted(rates))
        rows = rng.randint(1, 9)
        gone = sum(rng.random() < rates[cause] for _ in range(rows))
        if n >= 100:
            told.append((RowRecord(past).confidence(cause).chance, gone / rows))
        past.append(RowOutcome(cause, gone, rows - gone))
    for low in (0.0, 0.25, 0.5, 0.75):
        inside = [(p, y) for p, y in told if low <= p < low + 0.25]
        if len(inside) >= 30:
            assert abs(sum(p - y for p, y in inside)) / len(inside) < 0.1


def test_a_row_has_the_kinds_of_all_findings_that_name_it():
    def found(check, column, *keys):
        return Finding(check, Severity.CRITICAL, "s", column, keys=keys)

    some = [found("drafted", "reply", "1", "2"), found("expectation:name_is_set", "name", "2"),
            found("anomaly", "amount")]  # fmt: skip
    assert causes_of_rows(some) == {"1": "drafted: reply", "2": "drafted: reply; name_is_set"}
