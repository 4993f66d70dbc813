"""Each rule leaves tidy values alone, is done after one pass, and guesses nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wfops_pipelines.assist import tidy
from wfops_pipelines.assist.repairs import RULES, propose, tidied
from wfops_pipelines.core.drafts import DraftKind

STAGES = ("lead", "customer", "opportunity")
ASKED = {
    rule: tidy("c", rule, region="DE", accepted=STAGES if rule == "spelling" else ())
    for rule in RULES
}


@pytest.mark.parametrize(
    ("rule", "value", "wanted"),
    [
        ("trim", "  Ann \u200b Bell ", "Ann Bell"),
        ("trim", "Ann Bell", None),
        ("upper", "eur ", "EUR"),
        ("lower", "Lead", "lead"),
        ("email", " Ann@ACME.example; ", "ann@acme.example"),
        ("email", "mailto:ann@acme.example", "ann@acme.example"),
        ("email", "nobody", None),
        ("email", "a@b@c.de", None),
        ("phone", "030 901820", "+4930901820"),
        ("phone", "+44 20 7946 0958", "+442079460958"),
        ("phone", "030 901820 ext. 5", None),
        ("phone", "12", None),
        ("phone", "call me", None),
        ("date", "31.03.2026", "2026-03-31"),
        ("date", "March 31, 2026", "2026-03-31"),
        ("date", "03/04/2026", None),
        ("date", "31.02.2026", None),
        ("date", "2026-03-31", None),
        ("country", "GERMANY", "Germany"),
        ("country", "German", "Germany"),
        ("country", "DEU", "Germany"),
        ("country", "United Kingdo", "United Kingdom"),
        ("country", "uk", "United Kingdom"),
        ("country", "Germany", None),
        ("country", "Guinea", None),
        ("country", "Atlantis", None),
        ("currency", " eur", "EUR"),
        ("currency", "€", "EUR"),
        ("currency", "US Dollars", "USD"),
        ("currency", "pound sterling", "GBP"),
        ("currency", "EUR", None),
        ("currency", "$", None),
        ("currency", "dollar", None),
        ("currency", "XYZ", None),
        ("spelling", "custmer", "customer"),
        ("spelling", "LEAD", "lead"),
        ("spelling", "partner", None),
    ],
)
def test_a_rule_gives_the_tidy_form_or_nothing(rule, value, wanted):
    found = tidied(ASKED[rule], value)
    assert (found and found[0]) == wanted


@pytest.mark.parametrize("word", ["Nige", "Slovakai", "Dominca", "Austrlia"])
def test_what_is_near_to_two_countries_is_not_guessed(word):
    found = tidied(ASKED["country"], word)
    assert found is None or found[0] in ("Slovakia", "Australia", "Dominica", "Niger")
    assert tidied(ASKED["country"], "Ira") is None


@pytest.mark.parametrize("rule", RULES)
@given(value=st.text(max_size=40))
def test_one_pass_is_enough_and_no_text_breaks_a_rule(rule, value):
    found = tidied(ASKED[rule], value)
    if found is not None:
        assert found[0] != value
        assert found[0].strip()
        assert tidied(ASKED[rule], found[0]) is None


def test_only_texts_are_looked_at():
    rows = [{"c": v} for v in (None, 7, True, "", "   ", " x ")]
    found = propose(ASKED["trim"], rows)
    assert [f and f.value for f in found] == [None] * 5 + ["x"]
    assert found[5].kind is DraftKind.REPAIR
    assert found[5].sources == (("c", " x "),)
