"""The pure verifier: what it says about which tampering, and that it says nothing otherwise."""

import dataclasses
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from wfops_pipelines.core.audit import Action, AuditEvent
from wfops_pipelines.core.ed25519 import ed25519_verify
from wfops_pipelines.core.reviews import Actor
from wfops_pipelines.core.verifier import GENESIS, Event, Head, check, link

KEY = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
PUBLIC = KEY.public_key().public_bytes_raw().hex()


def event(n, reason=""):
    at = datetime(2026, 1, 1, second=n % 60, tzinfo=UTC)
    return AuditEvent(at, Actor("a"), Action.STAGED, f"s #{n}", reason)


def chained(bodies, previous=GENESIS, first=1):
    made = []
    for n, body in enumerate(bodies, first):
        previous = link(previous, body)
        made.append(Event(n, body, previous))
    return made


def trail(n):
    return chained(event(i).text() for i in range(1, n + 1))


def head(of, key=KEY):
    unsigned = Head(of.n, of.hash, "2026-01-01", key.public_key().public_bytes_raw().hex(), "")
    return dataclasses.replace(unsigned, signature=key.sign(unsigned.message).hex())


def problems(events, heads, keys=(PUBLIC,)):
    return [(p.n, p.words) for p in check(events, heads, keys).problems]


def test_an_untouched_and_signed_chain_has_no_problem():
    made = trail(20)
    report = check(made, [head(made[9]), head(made[19])], [PUBLIC])
    assert (report.problems, report.events, report.signed, report.unsigned) == ([], 20, 20, 0)


def test_events_since_the_last_signed_head_are_a_number_and_no_break():
    made = trail(20)
    report = check(made, [head(made[14])], [PUBLIC])
    assert (report.problems, report.unsigned) == ([], 5)


def test_an_empty_trail_needs_no_head():
    assert problems([], []) == []


def test_events_that_nothing_vouches_for_are_a_problem():
    assert "not one signed head" in problems(trail(2), [])[0][1]


@given(st.integers(2, 12), st.data())
def test_an_edit_a_deletion_or_a_swap_is_found_at_its_place(n, data):
    made = trail(n)
    heads = [head(made[-1])]
    at = data.draw(st.integers(0, n - 2))
    match data.draw(st.sampled_from(["edit", "delete", "swap"])):
        case "edit":
            made[at] = dataclasses.replace(made[at], body=event(at + 1, "better").text())
        case "delete":
            del made[at]
        case "swap":
            made[at], made[at + 1] = (
                dataclasses.replace(made[at + 1], n=at + 1),
                dataclasses.replace(made[at], n=at + 2),
            )
    assert problems(made, heads)[0][0] == at + 1


def test_a_deletion_names_the_events_that_are_gone():
    made = trail(9)
    assert "event 3 to 5 is gone" in problems([*made[:2], *made[5:]], [head(made[8])])[0][1]


def test_an_insertion_is_called_one():
    made = trail(6)
    (new,) = chained([event(50).text()], made[2].hash, 4)
    later = [dataclasses.replace(e, n=e.n + 1) for e in made[3:]]
    found = problems([*made[:3], new, *later], [head(made[5])])
    assert found[0] == (5, "it follows event 3, not 4: one was inserted or moved")


def test_a_whole_new_chain_is_found_by_the_signed_head_alone():
    made = trail(9)
    forged = chained(event(i, "better" if i == 4 else "").text() for i in range(1, 10))
    found = problems(forged, [head(made[1]), head(made[5]), head(made[8])])
    assert [n for n, _ in found] == [6]
    assert "changed between events 3 and 6" in found[0][1]


def test_a_cut_tail_is_found_by_the_signed_head_alone():
    made = trail(9)
    ((n, words),) = problems(made[:6], [head(made[8])])
    assert n == 7
    assert "event 9 was signed, but the trail ends at event 6" in words


def test_a_forged_head_is_named_and_vouches_for_nothing():
    made = trail(3)
    stranger = Ed25519PrivateKey.generate()
    assert "unknown key" in problems(made, [head(made[2]), head(made[1], stranger)])[0][1]
    moved = dataclasses.replace(head(made[2]), n=2, hash=made[1].hash)
    assert "wrong signature" in problems(made, [head(made[2]), moved])[0][1]


def test_two_heads_for_one_event_show_that_the_key_signed_a_rewritten_trail():
    made, other = trail(3), chained(event(i, "x").text() for i in range(1, 4))
    assert any(
        "two different heads" in w for _, w in problems(made, [head(made[2]), head(other[2])])
    )


def test_values_that_json_cannot_carry_are_refused_rather_than_hashed():
    with pytest.raises(ValueError, match="Out of range"):
        dataclasses.replace(event(1), details={"x": float("nan")}).text()


@given(st.binary(max_size=80), st.binary(min_size=32, max_size=32), st.integers(0, 511))
def test_our_ed25519_says_what_the_library_says(message, seed, bit):
    key = Ed25519PrivateKey.from_private_bytes(seed)
    public, signature = key.public_key().public_bytes_raw().hex(), key.sign(message)
    assert ed25519_verify(public, signature.hex(), message)
    bent = bytearray(signature)
    bent[bit // 8] ^= 1 << bit % 8
    assert not ed25519_verify(public, bytes(bent).hex(), message)
    assert not ed25519_verify(public, signature.hex(), message + b"!")


@pytest.mark.parametrize(
    ("key", "signature"),
    [("", ""), ("zz" * 32, "00" * 64), ("00" * 31, "00" * 64), ("ff" * 32, "00" * 64)],
)
def test_a_key_or_signature_that_is_none_verifies_nothing(key, signature):
    assert not ed25519_verify(key, signature, b"m")


def test_a_signature_whose_scalar_was_raised_by_the_group_order_is_refused():
    made = KEY.sign(b"m")
    order = 2**252 + 27742317777372353535851937790883648493
    raised = int.from_bytes(made[32:], "little") + order
    assert not ed25519_verify(PUBLIC, (made[:32] + raised.to_bytes(32, "little")).hex(), b"m")


def test_the_first_vector_of_rfc_8032_verifies():
    key = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
    signature = (
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bac"
        "c61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
    )
    assert ed25519_verify(key, signature, b"")
