"""Expectations in words: a sentence for people and a short identifier for Dagster.

A phrase is `identifier | sentence`. In a sentence `{column}`, `{range}` and every kwarg can be
used; `{range}` is made of `min_value`, `max_value`, `strict_min` and `strict_max`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from hashlib import sha256
from string import Formatter
from typing import Any

from wfops_pipelines.checks.conditions import condition_in_words
from wfops_pipelines.checks.show import shown, shown_range, shown_set

_COLUMN = "expect_column_"
_PHRASES: dict[str, str] = {
    _COLUMN + "values_to_not_be_null": "is_never_empty | {column} is never empty",
    _COLUMN + "values_to_be_null": "is_always_empty | {column} is always empty",
    _COLUMN + "values_to_be_unique": "is_unique | {column} is unique",
    _COLUMN + "values_to_be_between": "is_in_range | {column} is {range}",
    _COLUMN + "values_to_be_in_set": "is_one_of_a_set | {column} is one of {value_set}",
    _COLUMN + "values_to_not_be_in_set": "is_none_of_a_set | {column} is none of {value_set}",
    _COLUMN + "values_to_be_of_type": "has_its_type | {column} is of type {type_}",
    _COLUMN + "values_to_be_in_type_list": "has_one_of_its_types | {column} is of type {type_list}",
    _COLUMN + "type_to_be": "column_has_its_type | the column {column} is of type {type_}",
    _COLUMN + "values_to_be_increasing": "increases | {column} increases from row to row",
    _COLUMN + "values_to_be_decreasing": "decreases | {column} decreases from row to row",
    _COLUMN + "values_to_be_json_parseable": "is_json | {column} is JSON",
    _COLUMN + "values_to_be_dateutil_parseable": "is_a_date | {column} reads as a date",
    _COLUMN + "values_to_match_json_schema": "matches_json_schema | {column} follows a JSON schema",
    _COLUMN + "values_to_match_regex": "matches_pattern | {column} matches {regex}",
    _COLUMN + "values_to_not_match_regex": "avoids_pattern | {column} does not match {regex}",
    _COLUMN + "values_to_match_regex_list": (
        "matches_patterns | {column} matches {match_on} of {regex_list}"
    ),
    _COLUMN + "values_to_not_match_regex_list": (
        "avoids_patterns | {column} matches none of {regex_list}"
    ),
    _COLUMN + "values_to_match_strftime_format": (
        "has_date_format | {column} is a date written as {strftime_format}"
    ),
    _COLUMN + "values_to_not_be_outliers": "has_no_outliers | {column} has no outliers",
    _COLUMN
    + "value_lengths_to_be_between": "length_is_in_range | {column} is {range} characters long",
    _COLUMN + "value_lengths_to_equal": "has_its_length | {column} is {value} characters long",
    _COLUMN + "value_z_scores_to_be_less_than": (
        "has_small_z_scores | {column} is less than {threshold} standard deviations from its mean"
    ),
    _COLUMN + "to_exist": "exists | there is a column {column}",
    _COLUMN + "min_to_be_between": "minimum_is_in_range | the smallest {column} is {range}",
    _COLUMN + "max_to_be_between": "maximum_is_in_range | the largest {column} is {range}",
    _COLUMN + "mean_to_be_between": "mean_is_in_range | the mean of {column} is {range}",
    _COLUMN + "median_to_be_between": "median_is_in_range | the median of {column} is {range}",
    _COLUMN + "sum_to_be_between": "sum_is_in_range | the sum of {column} is {range}",
    _COLUMN + "stdev_to_be_between": (
        "deviation_is_in_range | the standard deviation of {column} is {range}"
    ),
    _COLUMN + "quantile_values_to_be_between": (
        "quantiles_are_in_range | the quantiles of {column} are in their ranges"
    ),
    _COLUMN + "unique_value_count_to_be_between": (
        "distinct_count_is_in_range | the number of different values of {column} is {range}"
    ),
    _COLUMN + "proportion_of_unique_values_to_be_between": (
        "distinct_share_is_in_range | the share of different values of {column} is {range}"
    ),
    _COLUMN + "proportion_of_non_null_values_to_be_between": (
        "filled_share_is_in_range | the share of rows with a {column} is {range}"
    ),
    _COLUMN + "distinct_values_to_be_in_set": (
        "distinct_values_are_in_set | {column} takes only the values {value_set}"
    ),
    _COLUMN + "distinct_values_to_contain_set": (
        "distinct_values_contain_set | {column} takes each of the values {value_set}"
    ),
    _COLUMN + "distinct_values_to_equal_set": (
        "distinct_values_equal_set | {column} takes exactly the values {value_set}"
    ),
    _COLUMN + "most_common_value_to_be_in_set": (
        "commonest_is_in_set | the most common {column} is one of {value_set}"
    ),
    _COLUMN + "kl_divergence_to_be_less_than": (
        "keeps_its_distribution | {column} is distributed as given (divergence below {threshold})"
    ),
    _COLUMN + "pair_values_to_be_equal": "equals_{column_B} | {column_A} equals {column_B}",
    _COLUMN + "pair_values_a_to_be_greater_than_b": (
        "is_above_{column_B} | {column_A} is {more} {column_B}"
    ),
    _COLUMN + "pair_values_to_be_in_set": (
        "pairs_with_{column_B} | {column_A} and {column_B} form one of the allowed pairs"
    ),
    "expect_compound_columns_to_be_unique": (
        "are_unique_together | {column_list} are unique together"
    ),
    "expect_multicolumn_sum_to_equal": "sum_up | {column_list} sum up to {sum_total}",
    "expect_multicolumn_values_to_be_equal": "are_equal | {column_list} are equal",
    "expect_select_column_values_to_be_unique_within_record": (
        "differ_in_a_row | {column_list} differ from each other in each row"
    ),
    "expect_table_row_count_to_be_between": "row_count_is_in_range | {range} rows",
    "expect_table_row_count_to_equal": "row_count_is_exact | exactly {value} rows",
    "expect_table_column_count_to_be_between": "column_count_is_in_range | {range} columns",
    "expect_table_column_count_to_equal": "column_count_is_exact | exactly {value} columns",
    "expect_table_columns_to_match_ordered_list": (
        "columns_are_in_order | the columns are {column_list}, in this order"
    ),
    "expect_table_columns_to_match_set": "columns_are_the_set | the columns {include} {column_set}",
}


def in_words(type_: str, kwargs: Mapping[str, Any]) -> str:
    """One sentence without a full stop: "status is one of draft, open, paid"."""
    sentence = _phrase(type_)[1]
    fields = {name for _, name, _, _ in Formatter().parse(sentence) if name}
    text = sentence.format(**{name: _field(name, kwargs) for name in fields})
    if type_.endswith("_to_not_be_null") and "mostly" in kwargs:
        text = text.replace("is never empty", "is filled")
    return text + _mostly(kwargs.get("mostly")) + _where(kwargs.get("row_condition"))


def short_name(type_: str, kwargs: Mapping[str, Any]) -> str:
    """Letters, digits and underscores, from column and type: `email_is_never_empty`."""
    label = _phrase(type_)[0].format(column_B=slug(str(kwargs.get("column_B", ""))))
    judged = columns_named(kwargs)[: 1 if "column_A" in kwargs else 3]
    about = () if type_.startswith("expect_table_") else map(slug, judged)
    name = "_".join([*about, label])
    return name if len(name) <= 90 else f"{name[:80]}_{_short_hash(name)}"


def columns_named(kwargs: Mapping[str, Any]) -> tuple[str, ...]:
    """The columns that an expectation judges, in the order of the file."""
    single = [kwargs[k] for k in ("column", "column_A", "column_B") if k in kwargs]
    several = kwargs.get("column_list") or ()
    listed = list(several) if isinstance(several, (list, tuple)) else []
    return tuple(str(c) for c in [*single, *listed])


def slug(text: str) -> str:
    """`text` in letters, digits and underscores; text that loses something gets a hash."""
    plain = re.sub(r"[^A-Za-z0-9]+", "_", text).strip("_")
    return (
        plain
        if re.fullmatch(r"[A-Za-z0-9_ .-]+", text) and plain
        else (f"{plain}_{_short_hash(text)}".strip("_"))
    )


def _phrase(type_: str) -> tuple[str, str]:
    phrase = _PHRASES.get(type_)
    if phrase is None:
        rest = re.sub(r"^expect_(column_|table_|multicolumn_)?(pair_)?", "", type_)
        return rest, f"{{columns}}: {rest.replace('_', ' ')}".removeprefix(": ")
    label, _, sentence = phrase.partition(" | ")
    return label, sentence


def _field(name: str, kwargs: Mapping[str, Any]) -> str:
    match name:
        case "range":
            return shown_range(kwargs)
        case "columns":
            return ", ".join(columns_named(kwargs)) or "the snapshot"
        case "more":
            return "at least" if kwargs.get("or_equal") else "more than"
        case "include":
            return "are" if kwargs.get("exact_match", True) else "include"
        case "match_on":
            return str(kwargs.get("match_on") or "any")
        case "value_set" | "column_list" | "column_set" | "type_list" | "regex_list":
            return shown_set(kwargs.get(name))
        case _:
            return shown(kwargs.get(name))


def _mostly(mostly: Any) -> str:
    if mostly is None or mostly in (1, 1.0):
        return ""
    if isinstance(mostly, dict):
        return f" in at least the share {shown(mostly)} of rows"
    return f" in at least {shown(round(mostly * 100, 6))} % of rows"


def _where(condition: Any) -> str:
    return f", where {condition_in_words(condition)}" if condition else ""


def _short_hash(text: str) -> str:
    return sha256(text.encode("utf-8", "backslashreplace")).hexdigest()[:6]
