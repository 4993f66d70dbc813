"""Places of Great Expectations that are made faster, and nothing of what they answer changes.

They are private names of the pinned version: with another version nothing is patched, the suite
runs as before and slower, and a test says so.
"""

from __future__ import annotations

from typing import Any

VERSION = "1.24.1"
_applied = False


def speed_up(great_expectations: Any) -> bool:
    """Apply the patches once; False when this version is not the one they were written for."""
    global _applied
    if great_expectations.__version__ != VERSION:
        return False
    if not _applied:
        _look_for_decimals_only_among_objects()
        _applied = True
    return True


def _look_for_decimals_only_among_objects() -> None:
    # means and deviations ask each of a million floats whether it is a decimal
    from great_expectations import util

    slow = util.does_ndarray_contain_decimal_dtype

    def fast(data: Any) -> bool:
        return data.dtype == object and bool(slow(data))

    setattr(util, slow.__name__, fast)
