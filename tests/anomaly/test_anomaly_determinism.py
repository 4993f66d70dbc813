"""The same content gives the same bits: repeated, shuffled, in parts, in another process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from anomaly_demo_streams import STREAMS, crm_contacts

from wfops_pipelines.anomaly import fit_rows, profile, score_rows, score_snapshot

DAYS = [crm_contacts(5, day) for day in range(8)]


def shuffled(table: pa.Table, seed: int) -> pa.Table:
    return table.take(pa.array(np.random.default_rng(seed).permutation(table.num_rows)))


def test_a_profile_does_not_depend_on_the_order_of_rows() -> None:
    assert profile(shuffled(DAYS[0], 1), key="id") == profile(DAYS[0], key="id")


def test_a_profile_does_not_depend_on_how_a_table_is_chunked() -> None:
    chunked = pa.concat_tables([DAYS[0].slice(0, 100), DAYS[0].slice(100)])
    assert profile(chunked) == profile(DAYS[0].combine_chunks())


def test_a_large_profile_does_not_depend_on_the_order_of_rows() -> None:
    rng = np.random.default_rng(2)
    large = pa.table({"a": rng.normal(size=40_000), "b": rng.integers(0, 99, 40_000)})
    assert profile(shuffled(large, 3)) == profile(large)


def test_merged_profiles_are_the_profile_of_all_rows() -> None:
    one = DAYS[0]
    parts = [profile(one.slice(at, 150), key="id", cursor="updated_at") for at in (0, 150, 300)]
    parts = [p for p in parts if p.rows]
    merged = parts[0]
    for part in parts[1:]:
        merged = merged.merge(part)
    whole = profile(one, key="id", cursor="updated_at")
    assert (merged.rows, merged.digest) == (whole.rows, whole.digest)
    assert merged.row_sketch == whole.row_sketch
    assert merged.pairs == whole.pairs
    for mine, other in zip(merged.columns, whole.columns, strict=True):
        assert (mine.nulls, mine.points, mine.sketches) == (
            other.nulls,
            other.points,
            other.sketches,
        )


def test_row_scores_do_not_depend_on_the_order_of_published_or_new_rows() -> None:
    new, order = DAYS[7], np.random.default_rng(4).permutation(DAYS[7].num_rows)
    first = score_rows(fit_rows(DAYS[0]), new)
    second = score_rows(fit_rows(shuffled(DAYS[0], 5)), new.take(pa.array(order)))
    assert (first.score[order] == second.score).all()
    assert (first.p_value[order] == second.p_value).all()


_SCRIPT = """
import sys
sys.path.insert(0, sys.argv[1])
from anomaly_demo_streams import crm_contacts
from wfops_pipelines.anomaly import profile, score_snapshot
p = [profile(crm_contacts(5, d), key="id", cursor="updated_at") for d in range(8)]
s = score_snapshot(p[:7], p[7])
print(s.p_value.hex(), s.score.hex(), [f.contribution.hex() for f in s.findings])
"""


@pytest.mark.slow
def test_another_process_gives_the_same_bits() -> None:
    bench = str(Path(__file__).parents[2] / "bench")
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT, bench], capture_output=True, text=True, check=True
    )
    profiles = [profile(t, key="id", cursor="updated_at") for t in DAYS]
    one = score_snapshot(profiles[:7], profiles[7])
    said = [one.p_value.hex(), one.score.hex(), [f.contribution.hex() for f in one.findings]]
    assert done.stdout.strip() == f"{said[0]} {said[1]} {said[2]}"


def test_the_demo_streams_are_the_same_every_time() -> None:
    assert all(make(1, 3).equals(make(1, 3)) for make, _, _ in STREAMS.values())
