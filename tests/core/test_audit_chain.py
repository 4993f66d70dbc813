from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wfops_pipelines.core.audit import GENESIS, Action, AuditEvent, chain, first_break
from wfops_pipelines.core.reviews import Actor


def links(n):
    previous, made = GENESIS, []
    for i in range(1, n + 1):
        at = datetime(2026, 1, 1, second=i % 60, tzinfo=UTC)
        body = AuditEvent(at, Actor("a"), Action.STAGED, f"s #{i}").body()
        previous = chain(previous, body)
        made.append((i, body, previous))
    return made


def test_an_untouched_chain_has_no_break():
    assert first_break(links(20)) is None


@given(st.integers(2, 12), st.data())
def test_an_edit_a_deletion_or_a_swap_is_found_at_its_place(n, data):
    made = links(n)
    at = data.draw(st.integers(0, n - 2))
    match data.draw(st.sampled_from(["edit", "delete", "swap"])):
        case "edit":
            number, body, link = made[at]
            made[at] = (number, {**body, "reason": "better"}, link)
        case "delete":
            del made[at]
        case "swap":
            made[at], made[at + 1] = made[at + 1], made[at]
    assert first_break(made) == at + 1


def test_values_that_json_cannot_carry_are_refused_rather_than_hashed():
    body = {**links(1)[0][1], "details": {"x": float("nan")}}
    with pytest.raises(ValueError, match="Out of range"):
        chain(GENESIS, body)
