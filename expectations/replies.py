"""Expectations about texts to customers: the right name, and nobody else's address."""

import re

import pandas as pd
from great_expectations.execution_engine import PandasExecutionEngine
from great_expectations.expectations.expectation import ColumnPairMapExpectation
from great_expectations.expectations.metrics.map_metric_provider import (
    ColumnPairMapMetricProvider,
    column_pair_condition_partial,
)

ADDRESS = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")


class TextNames(ColumnPairMapMetricProvider):
    condition_metric_name = "column_pair_values.text_names"
    condition_domain_keys = ("column_A", "column_B")
    condition_value_keys = ()

    @column_pair_condition_partial(engine=PandasExecutionEngine)
    def _pandas(cls, column_A, column_B, **kwargs):
        pairs = zip(column_A, column_B, strict=True)
        named = [
            isinstance(name, str) and bool(name.strip()) and name in str(text)
            for text, name in pairs
        ]
        return column_A.notna() & pd.Series(named, index=column_A.index, dtype=bool)


class TextHasNoOtherAddress(ColumnPairMapMetricProvider):
    condition_metric_name = "column_pair_values.text_has_no_other_address"
    condition_domain_keys = ("column_A", "column_B")
    condition_value_keys = ()

    @column_pair_condition_partial(engine=PandasExecutionEngine)
    def _pandas(cls, column_A, column_B, **kwargs):
        pairs = zip(column_A, column_B, strict=True)
        own = [
            {a.lower() for a in ADDRESS.findall(str(text))} <= {str(address).lower()}
            for text, address in pairs
        ]
        return column_A.notna() & pd.Series(own, index=column_A.index, dtype=bool)


class ExpectColumnPairTextToName(ColumnPairMapExpectation):
    """The text in column_A contains the name in column_B."""

    map_metric = "column_pair_values.text_names"


class ExpectColumnPairTextToHaveNoOtherAddress(ColumnPairMapExpectation):
    """No e-mail address stands in column_A but the one in column_B."""

    map_metric = "column_pair_values.text_has_no_other_address"
