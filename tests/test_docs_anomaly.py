"""What docs/anomaly.md shows is run, and prints what it shows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from wfops_pipelines.anomaly import _short, _snapshot, profile, score_snapshot

PAGE = (Path(__file__).parent.parent / "docs/anomaly.md").read_text("utf-8")


def block(language: str) -> str:
    (found,) = re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.M | re.S)
    return str(found)


@pytest.fixture(scope="module")
def run() -> dict[str, object]:
    printed: list[str] = []
    names: dict[str, object] = {"print": lambda *said: printed.append(" ".join(map(str, said)))}
    exec(compile(block("python"), "anomaly.md", "exec"), names)
    return {**names, "printed": printed}


def test_the_example_prints_what_the_page_shows(run):
    assert run["printed"] == block("text").splitlines()


def test_what_is_listed_adds_up_to_less_than_the_score(run):
    found = run["found"]
    listed = [f.contribution for f in found.findings]
    assert len(listed) == 12
    assert listed == sorted(listed, reverse=True)
    assert 0.5 * found.score < sum(listed) < found.score


def test_a_contract_holds_whatever_the_budget_and_adds_thirty_of_its_own(run):
    replay = score_snapshot(run["history"], run["history"][-1], false_holds=1e-9)
    assert replay.held
    assert replay.findings[0].contribution == 30
    twice = run["published"][0].take([0, *range(300)])
    assert score_snapshot([], profile(twice, key="id"), false_holds=1e-9).held


def test_the_wider_rule_is_the_one_that_the_page_tells():
    rule = (_snapshot.FEWEST, _short.ROWS_FACTOR, _short.SIZE_FACTOR, _short.MANY_NULLS)
    assert rule == (5, 5, 20, 0.5)
    assert "With fewer than five snapshots" in PAGE
    assert "five times\nthe rows or a fifth, twenty times the size" in PAGE
