"""Profiles of parts, added up."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from wfops_pipelines.anomaly import Profile, profile, score_snapshot
from wfops_pipelines.errors import SchemaRefused

ROWS = 3_000


def orders(day: int, rows: int = ROWS) -> pa.Table:
    rng = np.random.default_rng([day, 5])
    return pa.table(
        {
            "id": day * rows + np.arange(rows),
            "amount": rng.lognormal(4, 1, rows).round(2),
            "shop": rng.integers(0, 900, rows),
            "level": np.where(rng.random(rows) < 0.5, -0.0, 0.0) + rng.integers(0, 3, rows),
            "note": [f"order {n}" for n in rng.integers(0, 10**6, rows)],
        }
    )


def seen(table: pa.Table) -> Profile:
    return profile(table, key="id")


def halves(table: pa.Table) -> tuple[Profile, Profile]:
    half = table.num_rows // 2
    return seen(table.slice(0, half)), seen(table.slice(half))


def test_it_does_not_matter_which_of_two_profiles_comes_first() -> None:
    for a, b in (halves(orders(1)), (seen(orders(1)), seen(orders(2, 40)))):
        assert a.merge(b) == b.merge(a)


def test_a_part_without_rows_changes_nothing() -> None:
    whole, none = seen(orders(1)), seen(orders(1).slice(0, 0))
    assert whole.merge(none) == none.merge(whole) == whole


def test_profiles_of_two_versions_are_not_merged() -> None:
    a, b = halves(orders(1))
    with pytest.raises(SchemaRefused, match=r"versions 2 and 6 .* profile the rows of the older"):
        replace(a, version=2).merge(b)
    assert replace(a, version=2).merge(replace(b, version=2)).version == 2


@pytest.mark.parametrize("rows", [200, 1_500])
def test_repeated_keys_across_parts_are_counted(rows: int) -> None:
    a = seen(orders(1, rows))
    assert a.merge(a).key_duplicates == pytest.approx(rows, rel=0.01)
    assert a.merge(a).duplicates == pytest.approx(rows, rel=0.01)
    nulls = pa.table({"id": pa.array([None, 1]), "amount": [1.0, 2.0]})
    other = pa.table({"id": pa.array([None, 2]), "amount": [1.0, 2.0]})
    assert seen(nulls).merge(seen(other)).key_duplicates == 1


def test_distinct_values_of_parts_are_nearly_those_of_the_whole() -> None:
    a, b = halves(orders(1))
    for mine, whole in zip(a.merge(b).columns, seen(orders(1)).columns, strict=True):
        assert mine.counts["distinct"] == pytest.approx(whole.counts["distinct"], rel=0.02)
    assert a.merge(b).columns[0].counts["distinct"] == ROWS


def test_a_clean_merged_profile_is_not_held_among_whole_ones() -> None:
    past = [seen(orders(day)) for day in range(20)]
    a, b = halves(orders(20))
    score = score_snapshot(past, a.merge(b))
    assert not score.held, [f.sentence for f in score.findings]
