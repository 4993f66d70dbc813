"""Bodies as forms: what is written is what a reader of such forms finds."""

import re
from urllib.parse import parse_qsl, urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wfops_pipelines.destinations import rest_destination
from wfops_pipelines.destinations.forms import given as pruned
from wfops_pipelines.destinations.forms import pairs, written
from wfops_pipelines.destinations.readback import differs

names = st.text("abcdefghij_", min_size=1, max_size=6)
scalars = st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=8))


def nested(inner):
    return st.dictionaries(names, inner, max_size=3) | st.lists(inner, max_size=3)


fields = st.dictionaries(names, st.recursive(scalars, nested))


def read(form):
    """A reader of its own: brackets make levels, levels of numbers are lists."""
    tree = {}
    for name, value in form:
        first, rest = re.fullmatch(r"([^\[]+)(.*)", name).groups()
        path, at = [first, *re.findall(r"\[(\w+)\]", rest)], tree
        for part in path[:-1]:
            at = at.setdefault(part, {})
        at[path[-1]] = value
    return listed(tree)


def listed(tree):
    if not isinstance(tree, dict):
        return tree
    found = {name: listed(value) for name, value in tree.items()}
    return list(found.values()) if found and all(n.isdigit() for n in found) else found


def as_texts(value):
    if value and isinstance(value, dict):
        return {k: as_texts(v) for k, v in value.items()}
    if value and isinstance(value, list):
        return [as_texts(v) for v in value]
    return written(value)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(fields)
def test_a_reader_finds_what_was_written(body):
    sent = urlencode(list(pairs(body)))
    found = read(parse_qsl(sent, keep_blank_values=True))
    assert found == {k: as_texts(v) for k, v in body.items()}
    assert not differs(found, body, form=True)


def test_it_is_written_as_stripe_documents_it():
    body = {
        "metadata": {"order": 6735, "vip": True}, "items": [{"price": "p1", "quantity": 2}, "b"],
        "phone": None, "locales": [],
    }  # fmt: skip
    assert list(pairs(body)) == [
        ("metadata[order]", "6735"), ("metadata[vip]", "true"), ("items[0][price]", "p1"),
        ("items[0][quantity]", "2"), ("items[1]", "b"), ("phone", ""), ("locales", ""),
    ]  # fmt: skip


def test_a_new_record_is_sent_nothing_that_is_empty_and_everything_that_is_not():
    body = {"a": None, "b": "", "c": {"d": None}, "e": [], "f": 0, "g": False, "h": {"i": "x"}}
    assert pruned(body) == {"f": 0, "g": False, "h": {"i": "x"}}


@pytest.mark.parametrize(
    ("record", "sent", "differing"),
    [
        ("12", 12, False), ("true", True, False), (None, "", False), ("", None, False),
        ({}, None, False), ([], None, False), ("1", True, True), ("x", None, True),
        (["a"], None, True), (["a"], [], True), ([], ["a"], True), (None, {"a": None}, False),
        ({"a": "1"}, {"a": 1}, False), (["1"], [1], False), (["1"], [2], True),
    ],
)  # fmt: skip
def test_a_record_is_compared_as_the_texts_that_were_sent(record, sent, differing):
    assert differs({"f": record}, {"f": sent}, form=True) is differing


@pytest.mark.parametrize("body", [{"metadata[a]": 1}, {"items": [{"a[0]": 1}]}])
def test_brackets_in_a_name_are_refused_where_they_are_declared(body):
    with pytest.raises(ValueError, match=r"crm: '\w+\[\w\]' cannot be a field of a form"):
        rest_destination("crm", "POST /customers", body=body, form=True)
    rest_destination("crm", "POST /customers", body=body)  # JSON may have them
