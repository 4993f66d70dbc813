"""What the scorer measured is said without terms of the trade."""

import pytest

from wfops_pipelines.anomaly._words import plain


@pytest.mark.parametrize(
    ("statistic", "said"),
    [
        ("5% quantile", "95 % of the values are above"),
        ("75% quantile", "three quarters of the values are below"),
        ("length 95% quantile", "95 % of the lengths are below"),
        ("5% quantile of the time until paid_at", "95 % of the times until paid_at are above"),
        ("early end", "nearly all times are after"),
        ("late end behind the newest", "from nearly the latest time to the newest"),
        ("unseen letter pairs", "letter pairs not seen before"),
        ("mix of words", "change of the mix of words"),
        ("length median", "median of the lengths"),
        ("null", "nulls"),
        ("share of 'early end'", "share of 'early end'"),
    ],
)
def test_a_statistic_has_a_plain_name(statistic, said):
    assert plain(statistic) == said
