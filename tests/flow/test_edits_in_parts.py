"""Edits of rows that are read a part at a time are those of rows that are read at once."""

from types import SimpleNamespace

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wfops_pipelines.core.parts import Rows
from wfops_pipelines.core.reviews import Actor, Decision, Edit, Verb
from wfops_pipelines.deciding.editing import edited
from wfops_pipelines.errors import BadDecision

SYNC = SimpleNamespace(key="id", cursor="at")
IDS = [*map(str, range(18)), "None", "5"]  # a key that stands twice, and a row without one
TABLE = pa.table(
    {
        "id": [None if i == "None" else i for i in IDS],
        "n": pa.array([None if i % 5 == 0 else i for i in range(20)], pa.int64()),
        "x": pa.array([i / 3 for i in range(20)]),
        "at": list(range(20)),
    }
)
VALUES = st.one_of(st.none(), st.integers(0, 20), st.just("a"), st.floats(0, 1))
EDITS = st.lists(
    st.builds(
        Edit,
        st.sampled_from(IDS),
        st.dictionaries(st.sampled_from(["n", "n", "x", "x", "at", "z"]), VALUES, min_size=1),
    ),
    min_size=1,
    max_size=4,
    unique_by=lambda edit: edit.key,
)


def in_parts(size):
    def read(columns):
        for at in range(0, len(TABLE), size):
            part = TABLE.slice(at, size)
            yield part if columns is None else part.select(list(columns))

    return Rows(TABLE.schema, len(TABLE), read)


def result(rows, decision):
    try:
        found, changes = edited(rows, SYNC, decision)
    except BadDecision as error:
        return str(error)
    return found.whole(), changes, [found.whole([c]) for c in found.column_names]


@given(edits=EDITS)
def test_edits_in_parts_of_seven_are_those_at_once(edits):
    decision = Decision("r", "e", Verb.APPROVE, "because", Actor("ana"), edits=tuple(edits))
    assert result(in_parts(7), decision) == result(Rows.of(TABLE), decision)


@pytest.mark.parametrize("rows", [Rows.of(TABLE), in_parts(7)])
def test_only_the_cells_that_are_named_change(rows):
    edits = (Edit("5", {"n": 1}), Edit("None", {"x": 2.0, "n": 18}))
    decision = Decision("r", "e", Verb.APPROVE, "because", Actor("ana"), edits=edits)
    found, changes = edited(rows, SYNC, decision)
    assert changes == (("5", "n", "19", "1"), ("None", "x", "6.0", "2.0"))
    before, after = TABLE.to_pylist(), found.whole().to_pylist()
    assert {i for i in range(20) if before[i] != after[i]} == {18, 19}
