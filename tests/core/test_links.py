from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml

from wfops_pipelines.core import links
from wfops_pipelines.core.reviews import Review, ReviewKind, ReviewState

REVIEW = Review(
    id="rv-01J",
    sync="crm",
    seq=1,
    kind=ReviewKind.ROWS,
    state=ReviewState.PENDING,
    evidence_hash="ab" * 32,
    summary="s",
    group="g",
    opened_at=datetime(2026, 1, 1, tzinfo=UTC),
    requested_by="",
)


def test_the_launchpad_link_is_prefilled_up_to_the_persons_own_words():
    parts = urlsplit(links.decide_launchpad(REVIEW))
    config = yaml.safe_load(parse_qs(parts.query)["config"][0])
    assert parts.path == "/locations/wfops/jobs/decide/playground/setup"
    assert config == {"review": "rv-01J", "evidence": "ab" * 32, "decision": None, "reason": ""}


@pytest.mark.parametrize(
    "words", ["fine, ticket #4711 and PR # 12", "wrong: overlap only", "'\"{}"]
)
def test_a_reason_typed_at_the_end_is_kept_to_the_letter(words):
    for link, field in (
        (links.decide_launchpad(REVIEW), "reason"),
        (links.act_launchpad("comment", REVIEW.id, "text"), "text"),
        (links.revert_launchpad("crm", 1), "reason"),
    ):
        text = parse_qs(urlsplit(link).query, keep_blank_values=True)["config"][0]
        assert yaml.safe_load(text + words)[field] == words


def test_the_launchpad_link_names_only_the_verbs_that_fit():
    text = parse_qs(urlsplit(links.decide_launchpad(REVIEW)).query)["config"][0]
    assert "# approve | reject\ndecision: \n" in text


def test_names_in_links_are_quoted():
    assert links.report_page("a/b?c", 3) == "/wfops/reports/a%2Fb%3Fc/3"
    assert links.review_page("../x") == "/wfops/r/..%2Fx"


@pytest.mark.parametrize(
    "text",
    [
        "Hello Ann,\n\nall is well: # really\n  indented - yes",
        " leading",
        "trailing \nblank",
        "end\n",
        "",
        None,
        "tab\there",
        "next\x85line\u2028and",
        "'quoted\" {env: SECRET}",
        "a\n\n",
        "\nfirst line empty",
    ],
)
def test_an_edit_is_prefilled_with_exactly_what_the_cells_hold(text):
    link = links.edit_launchpad(REVIEW, {"4: 2": {"reply": text, "a: b": "x"}, "7": {"c": "y"}})
    config = yaml.safe_load(parse_qs(urlsplit(link).query, keep_blank_values=True)["config"][0])
    assert config["edits"] == [
        {"key": "4: 2", "set": {"reply": text, "a: b": "x"}},
        {"key": "7", "set": {"c": "y"}},
    ]
    assert config["reason"] == ""
