"""Distinct values by hashing are those that sorting finds."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from wfops_pipelines.anomaly._distinct import distinct, distinct_rows

CELLS = st.sampled_from([0.0, -0.0, 1.5, float("nan"), float("inf")])


@settings(deadline=None)
@given(st.lists(st.integers(0, 2**64 - 1) | st.integers(0, 3)))
def test_values_places_and_codes_are_those_of_numpy(values):
    array = np.array(values, np.uint64)
    expected = np.unique(array, return_index=True, return_inverse=True)
    for found, wanted in zip(distinct(array), expected, strict=True):
        assert found.tolist() == wanted.tolist()


@settings(deadline=None)
@given(st.lists(st.tuples(CELLS, CELLS, CELLS)))
def test_each_row_is_told_from_every_other_by_its_bits(rows):
    table = np.array(rows, np.float64).reshape(-1, 3)
    first, which = distinct_rows(table)
    seen = {}
    assert which.tolist() == [seen.setdefault(row.tobytes(), len(seen)) for row in table]
    assert [table[at].tobytes() for at in first] == list(seen)
