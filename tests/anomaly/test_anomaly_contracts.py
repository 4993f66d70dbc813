"""What is held whatever the budget, and what too little history means."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from anomaly_demo_streams import crm_contacts

from wfops_pipelines.anomaly import Profile, basis, profile, score_snapshot, weight, weights


def seen(table: pa.Table) -> Profile:
    return profile(table, key="id", cursor="updated_at")


TABLES = [crm_contacts(8, day) for day in range(9)]
HISTORY = [seen(t) for t in TABLES[:8]]


@pytest.mark.parametrize("length", [1, 3, 8])
def test_a_dropped_column_is_held_with_any_history(length: int) -> None:
    score = score_snapshot(HISTORY[:length], seen(TABLES[8].drop_columns(["email"])))
    assert score.held
    assert score.findings[0].column == "email"
    assert "gone" in score.findings[0].sentence


def test_a_new_column_and_a_new_type_are_held() -> None:
    wider = TABLES[8].append_column("extra", pa.array([1] * TABLES[8].num_rows))
    retyped = TABLES[8].set_column(6, "owner_id", TABLES[8].column("owner_id").cast(pa.string()))
    assert score_snapshot(HISTORY, seen(wider)).findings[0].column == "extra"
    assert score_snapshot(HISTORY, seen(retyped)).findings[0].column == "owner_id"


def test_a_column_that_was_null_so_far_may_get_a_type() -> None:
    blank = TABLES[0].set_column(3, "last_name", pa.nulls(TABLES[0].num_rows))
    score = score_snapshot([seen(blank)], seen(TABLES[1]))
    assert not score.held


def test_a_type_that_changes_behind_a_snapshot_of_nulls_is_held() -> None:
    blank, text = (
        TABLES[at].set_column(6, "owner_id", values)
        for at, values in (
            (7, pa.nulls(TABLES[7].num_rows)),
            (8, TABLES[8].column("owner_id").cast(pa.string())),
        )
    )
    score = score_snapshot([*HISTORY[:7], seen(blank)], seen(text))
    assert score.held
    assert score.findings[0].sentence == (
        "owner_id: type string, integer until the snapshot 2 before this one"
    )
    assert not score_snapshot([*HISTORY[:7], seen(blank)], seen(TABLES[8])).held


def test_a_column_that_comes_back_is_said_to_come_back() -> None:
    gone = seen(TABLES[7].drop_columns(["email"]))
    back = score_snapshot([*HISTORY[:7], gone], HISTORY[7]).findings[0]
    assert back.sentence == (
        "email: the column is there again (string), last seen in the snapshot 2 before this one"
    )
    new = score_snapshot([gone, gone], HISTORY[7]).findings[0]
    assert new.sentence == (
        "email: a new column (string), in none of the snapshots it is compared with"
    )


def test_an_exact_replay_is_held_and_says_of_which_snapshot() -> None:
    score = score_snapshot(HISTORY, HISTORY[5])
    assert score.held
    assert "3 before this one" in score.findings[0].sentence


def test_an_unchanged_snapshot_is_normal_where_that_has_happened_before() -> None:
    score = score_snapshot([HISTORY[0], HISTORY[0], HISTORY[0]], HISTORY[0])
    assert not score.held


def test_one_replay_that_was_let_go_lets_no_other_pass() -> None:
    score = score_snapshot([*HISTORY, HISTORY[5]], HISTORY[3])
    assert score.held
    assert "6 before this one" in score.findings[0].sentence


def test_rows_that_differ_only_far_into_a_text_are_no_replay() -> None:
    def notes(end: str) -> Profile:
        return profile(pa.table({"id": [1, 2, 3], "note": ["x" * 600 + end, "y" * 512, None]}))

    assert notes("a").digest != notes("b").digest
    assert notes("a").digest == notes("a").digest
    twice = pa.table({"note": ["x" * 600 + end for end in "aab"]})
    assert profile(twice).duplicates == 1
    assert profile([twice.slice(0, 1), twice.slice(1)]) == profile(twice)


def test_repeated_keys_are_held_even_without_history() -> None:
    doubled = seen(pa.concat_tables([TABLES[0], TABLES[0].slice(0, 1)]))
    score = score_snapshot([], doubled)
    assert score.held
    assert score.findings[0].column == "id"


def test_an_empty_snapshot_is_held_where_that_is_not_usual() -> None:
    empty = seen(TABLES[0].slice(0, 0))
    assert "none of the last 8 was" in score_snapshot(HISTORY, empty).findings[0].sentence
    once = score_snapshot([*HISTORY, empty], empty)
    assert once.held
    assert "only 1 of the last 9 was" in once.findings[0].sentence
    assert not score_snapshot([*HISTORY, empty, empty], empty).held


def test_too_little_history_says_so() -> None:
    assert "3 published snapshots" in score_snapshot(HISTORY[:3], HISTORY[3]).basis


def test_too_little_history_still_holds_what_is_out_of_all_proportion() -> None:
    owners = np.asarray(TABLES[3].column("owner_id")) * 100
    score = score_snapshot(HISTORY[:3], seen(TABLES[3].set_column(6, "owner_id", pa.array(owners))))
    assert score.held
    assert [f.column for f in score.findings] == ["owner_id"]
    assert not score_snapshot(HISTORY[:3], HISTORY[3]).held
    assert score_snapshot(HISTORY[:3], seen(TABLES[3].slice(0, 9))).findings[0].statistic == "rows"


def test_a_first_usual_batch_after_tiny_ones_is_not_out_of_proportion() -> None:
    tiny = [seen(TABLES[n].slice(0, 2 + n)) for n in range(2)]
    usual, many = seen(TABLES[2].slice(0, 200)), HISTORY[2]
    assert not [f for f in score_snapshot(tiny, usual).findings if f.statistic == "rows"]
    assert many.rows > 250
    assert score_snapshot(tiny, many).findings[0].statistic == "rows"


def test_one_row_after_six_is_chance_and_none_of_two_hundred_is_not() -> None:
    def of(rows: int) -> Profile:
        return profile(pa.table({"v": [50.0 + n % 7 for n in range(rows)]}))

    assert not score_snapshot([of(6)], of(1)).held
    assert score_snapshot([of(200)], of(20)).held


@pytest.mark.parametrize("length", [5, 8])
def test_the_basis_says_before_the_fact_when_a_budget_can_only_be_extrapolated(length: int) -> None:
    said = basis(HISTORY[:length], false_holds=0.05)
    assert "it may be a point more: 20 snapshots are needed" in said
    assert score_snapshot(HISTORY[:length], HISTORY[7], false_holds=0.05).basis == said
    assert "extrapolation" not in basis(HISTORY[:length], false_holds=0.3)


@pytest.mark.parametrize(("rows", "said"), [(2, True), (3, False)])
def test_the_basis_says_before_the_fact_that_tiny_snapshots_are_held_more_often(
    rows: int, said: bool
) -> None:
    history = [profile(pa.table({"id": [str(n + 9 * i) for n in range(rows)]})) for i in range(8)]
    assert ("of so few rows" in basis(history, false_holds=0.2)) is said


def test_approvals_damp_a_kind_and_rejections_bring_it_back() -> None:
    assert weight(0, 0) == 1.0
    assert weight(0, 2) == 0.5
    assert weight(6, 2) == 0.8
    assert weight(0, 1000) == 0.25
    assert weights({"volume": (0, 2)}) == {"volume": 0.5}
    with pytest.raises(ValueError, match="decisions"):
        weight(-1, 0)


def test_a_damped_kind_adds_less_to_the_score() -> None:
    half = seen(TABLES[8].slice(0, TABLES[8].num_rows // 3))

    def of_rows(weights: dict[str, float]) -> float:
        found = score_snapshot(HISTORY, half, weights=weights).findings
        return sum(f.contribution for f in found if f.statistic == "rows")

    assert of_rows({"volume": 0.25}) < of_rows({}) / 2


@pytest.mark.parametrize(
    "pair",
    [
        pa.array([1, 2], pa.timestamp("ns")),
        pa.array([b"\xff", b"\xfe"], pa.binary()),
        pa.array([2**63 + 1, 2**63 + 2], pa.uint64()),
        pa.array(["1.00000000000000001", "1.00000000000000002"]).cast(pa.decimal128(38, 17)),
    ],
    ids=lambda pair: str(pair.type),
)
def test_rows_that_differ_where_a_measure_does_not_are_no_replay(pair: pa.Array) -> None:
    first, second = (profile(pa.table({"v": pair.slice(at, 1)})) for at in range(2))
    assert not score_snapshot([first], second).findings
    assert score_snapshot([first], first).findings[0].statistic == "replay"


def test_what_stays_unchanged_now_and_then_makes_no_old_state_usual() -> None:
    days = [seen(table.slice(0, 40)) for table in TABLES]
    still = [days[0], days[1], days[1], days[2], days[3], days[3], days[4], days[5]]
    assert not any(f.statistic == "replay" for f in score_snapshot(still, days[5]).findings)
    old = score_snapshot(still, days[0])
    assert old.held
    assert "the snapshot 8 before this one (a replay?)" in old.findings[0].sentence


def test_a_key_that_is_no_column_is_said() -> None:
    found = score_snapshot([], profile(TABLES[0], key="ID"))
    assert found.held
    assert found.findings[0].sentence.startswith("ID: no column has the name of the key")


def test_only_empty_snapshots_so_far_and_another_is_not_held() -> None:
    empty = seen(TABLES[0].slice(0, 0))
    assert not score_snapshot([empty], empty).held
