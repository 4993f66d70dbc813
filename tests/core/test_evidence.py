import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wfops_pipelines.core.canonical import canonical
from wfops_pipelines.core.findings import CheckResult, Finding, Outcome, Severity
from wfops_pipelines.core.ids import new_id
from wfops_pipelines.core.snapshot import Diff, Evidence

FOUND = Finding("anomaly", Severity.CRITICAL, "odd", "amount", 3, "1 to 2", ("k1",), {"x": [1]})
RESULT = CheckResult("email_is_unique", "email is unique", Outcome.FAILED, Severity.CRITICAL)
EVIDENCE = Evidence("crm", 4, "d" * 64, 10, (FOUND,), (RESULT,), Diff(1, 2, 7), {"p_value": 0.5})


def test_the_hash_names_exactly_this_evidence():
    assert EVIDENCE.hash == replace(EVIDENCE).hash


@pytest.mark.parametrize(
    "changes",
    [
        {"digest": "c" * 64},
        {"rows": 11},
        {"findings": ()},
        {"findings": (replace(FOUND, keys=("k2",)),)},
        {"results": (replace(RESULT, outcome=Outcome.PASSED),)},
        {"diff": Diff(1, 2, 8)},
        {"anomaly": {"p_value": 0.51}},
    ],
)
def test_any_change_to_the_evidence_changes_its_hash(changes):
    assert replace(EVIDENCE, **changes).hash != EVIDENCE.hash


def test_a_finding_survives_json():
    assert Finding.from_json(FOUND.as_json()) == FOUND


def test_evidence_survives_json_to_the_same_hash():
    again = Evidence.from_json(json.loads(canonical(EVIDENCE.as_json())))
    assert again.hash == EVIDENCE.hash


def test_canonical_json_does_not_depend_on_the_order_of_keys():
    assert canonical({"b": 1, "a": [2]}) == canonical({"a": [2], "b": 1}) == b'{"a":[2],"b":1}'


@given(st.text())
def test_canonical_json_takes_any_text(text):
    assert canonical({"t": text + "\ud800"})


@given(
    st.datetimes(datetime(2020, 1, 1), datetime(2100, 1, 1)),  # noqa: DTZ001
    st.binary(min_size=10, max_size=10),
    st.binary(min_size=10, max_size=10),
)
def test_ids_sort_by_time(moment, one, other):
    now = moment.replace(tzinfo=UTC)
    earlier, later = new_id("rv", now, one), new_id("rv", now + timedelta(milliseconds=1), other)
    assert earlier < later
    assert len(earlier) == len("rv-") + 26


def test_an_id_needs_its_randomness():
    with pytest.raises(ValueError, match="10 random bytes"):
        new_id("rv", datetime.now(UTC), b"short")
