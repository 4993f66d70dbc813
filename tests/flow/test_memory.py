"""A sync's memory does not grow with its rows: measured in processes of their own."""

import pytest

from bench import memory

pytestmark = [pytest.mark.components, pytest.mark.slow]

ROWS, TEXT, AT_ONCE = 40_000, 1000, 4096


def test_four_times_the_rows_take_no_more_memory(postgres, tmp_path):
    """One copy more of the rows anywhere on the way would be as much as the tables differ."""
    small, one = memory.at_size(postgres, tmp_path / "one", ROWS, TEXT, AT_ONCE)
    large, four = memory.at_size(postgres, tmp_path / "four", 4 * ROWS, TEXT, AT_ONCE)
    assert large - small > 120e6
    for step, (_, peak) in four.items():
        assert peak - one[step][1] < (large - small) / 2, (step, one, four)
