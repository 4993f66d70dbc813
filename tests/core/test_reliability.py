"""What was foretold, against what came."""

import random

import pytest

from wfops_pipelines.core.reliability import reliability


def test_honest_probabilities_lie_on_the_line_and_a_coin_scores_a_quarter():
    rng = random.Random(1)
    honest = [(p, rng.random() < p) for p in (rng.random() for _ in range(5000))]
    found = reliability(honest)
    assert [b.happened for b in found.bins] == pytest.approx(
        [b.foretold for b in found.bins], abs=0.05
    )
    assert found.brier == pytest.approx(1 / 6, abs=0.01)
    assert reliability([(0.5, n % 2 == 0) for n in range(20)]).brier == 0.25


def test_few_answers_are_called_few():
    found = reliability([(1.0, True)] * 9)
    assert found.brier is None
    assert found.words == "9 decisions: too few to judge the confidence by (10 needed)"
    assert reliability([]).bins == ()
    assert reliability([(1.0, True), (0.0, False)]).count == 2
