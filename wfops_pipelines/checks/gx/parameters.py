"""`$PARAMETER` thresholds: values and small sums of them, given when the suite runs."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

# Great Expectations parses every expression on one stack for the whole process
_ONE_AT_A_TIME = threading.Lock()


class MissingParameter(ValueError):
    """A threshold whose parameter has no value; says which."""


def with_parameters(kwargs: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """`kwargs` with each `{"$PARAMETER": "previous_rows * 0.8"}` worked out.

    Raises `MissingParameter` when a name has no value or the expression cannot be read.
    """
    return {name: _worked_out(value, values) for name, value in kwargs.items()}


def _worked_out(value: Any, values: Mapping[str, Any]) -> Any:
    if not (isinstance(value, dict) and "$PARAMETER" in value):
        return value
    from great_expectations.core.suite_parameters import parse_suite_parameter
    from great_expectations.exceptions.exceptions import GreatExpectationsError

    expression = str(value["$PARAMETER"])
    try:
        with _ONE_AT_A_TIME:
            return parse_suite_parameter(expression, dict(values))
    except (GreatExpectationsError, ValueError, TypeError) as error:
        known = ", ".join(sorted(values)) or "none"
        raise MissingParameter(
            f"the parameter {expression!r} has no value (given: {known})"
        ) from error
