"""What the scorer measured is said without terms of the trade."""

import numpy as np
import pytest

from wfops_pipelines.anomaly._features import Feature
from wfops_pipelines.anomaly._words import plain, sentence

UNKNOWN = np.full(4, np.nan)


@pytest.mark.parametrize(
    ("statistic", "said"),
    [
        ("5% quantile", "95 % of the values are at least"),
        ("75% quantile", "three quarters of the values are at most"),
        ("length 95% quantile", "95 % of the lengths are at most"),
        ("5% quantile of the time until paid_at", "95 % of the times until paid_at are at least"),
        ("early end", "nearly all times are after"),
        ("late end behind the newest", "from nearly the latest time to the newest"),
        ("unseen letter pairs", "letter pairs not seen before"),
        ("mix of words", "change of the mix of words"),
        ("length median", "median of the lengths"),
        ("null", "nulls"),
        ("share of 'early end'", "share of 'early end'"),
        ("lack of 'paid'", "less of 'paid', a share of"),
        ("lack of 'two\nlines'", "less of 'two\nlines', a share of"),
        ("before what was asked for", "rows from before the stretch that was asked for"),
        ("median behind when it was taken", "from the middle time to when it was taken"),
        ("rank correlation with fee", "how closely it goes with fee (from -1 to 1)"),
    ],
)
def test_a_statistic_has_a_plain_name(statistic, said):
    assert plain(statistic) == said


def said(*values, statistic="median", unit="number", taken=UNKNOWN):
    raw = np.array(values, np.float64)
    feature = Feature("amount", statistic, "numbers", unit, raw, raw, np.zeros(4))
    return sentence(feature, float("nan"), taken)[2]


@pytest.mark.parametrize(
    ("times", "guess"),
    [
        (100, "(×100: cents instead of units?)"),
        (0.01, "(÷100: units instead of cents?)"),
        (1000, "(×1,000: units instead of thousands?)"),
        (0.001, "(÷1,000: thousands instead of units?)"),
        (60, "(×60: a smaller unit of time?)"),
        (1 / 60, "(÷60: a larger unit of time?)"),
    ],
)
def test_a_change_of_unit_is_guessed_in_its_direction(times, guess):
    assert said(40, 41, 42, 41 * times).endswith(guess)


def test_no_unit_is_guessed_of_what_is_merely_larger():
    assert said(40, 41, 42, 90) == "amount: median 90, last 3 snapshots 40–42"


def test_what_lacks_is_told_by_the_share_that_is_there():
    assert said(0.4, 0.41, 0.42, 0.28, statistic="lack of 'paid'", unit="%") == (
        "amount: less of 'paid', a share of 28 %, last 3 snapshots 40 %–42 %"
    )


def test_a_single_snapshot_before_is_the_last_one():
    assert said(np.nan, np.nan, 41, 90) == "amount: median 90, last snapshot 41"


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ((40, 41, 42), "last 3 snapshots (since 1970-01-02) 40–42"),
        ((np.nan, 41, 42), "last 2 snapshots (since 1970-01-03) 41–42"),
        ((np.nan, np.nan, 42), "last snapshot (1970-01-04) 42"),
    ],
)
def test_a_finding_says_since_when(values, words):
    taken = np.array([1.5, 2.5, 3.5, 4.5]) * 86400
    assert said(*values, 90, taken=taken) == f"amount: median 90, {words}"


def test_where_the_oldest_time_is_not_known_no_day_is_said():
    taken = np.array([np.nan, 2.5, 3.5, 4.5]) * 86400
    assert said(40, 41, 42, 90, taken=taken) == "amount: median 90, last 3 snapshots 40–42"
