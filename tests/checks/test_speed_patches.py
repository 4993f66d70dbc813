"""The faster private names exist in the installed version and answer as the slow ones do."""

from decimal import Decimal

import numpy as np

from wfops_pipelines.checks.gx.patches import VERSION, speed_up
from wfops_pipelines.checks.gx.quiet import quiet_gx


def test_the_patches_are_for_the_installed_version():
    gx = quiet_gx()
    assert gx.__version__ == VERSION
    assert speed_up(gx)


def test_decimals_are_still_found_among_objects():
    from great_expectations import util

    quiet_gx()
    assert util.does_ndarray_contain_decimal_dtype(np.array([1, Decimal(1)], dtype=object))
    assert not util.does_ndarray_contain_decimal_dtype(np.array([1, None], dtype=object))


def test_a_million_floats_are_not_searched_for_decimals():
    from great_expectations import util

    quiet_gx()

    class Unsearchable(np.ndarray):
        def __iter__(self):
            raise AssertionError("each value was looked at")

    assert not util.does_ndarray_contain_decimal_dtype(np.zeros(3).view(Unsearchable))


def test_another_version_is_left_alone():
    class Other:
        __version__ = "2.0.0"

    assert not speed_up(Other)
