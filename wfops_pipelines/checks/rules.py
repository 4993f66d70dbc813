"""What a suite file may say: each rule raises a `ProjectError` that names field and repair."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

from wfops_pipelines.checks.known import Known
from wfops_pipelines.core.findings import Severity
from wfops_pipelines.errors import ProjectError

HEAD = {"name", "expectations", "suite_parameters", "meta", "notes", "id"}
ENTRY = {"type", "kwargs", "meta", "notes", "id", "description", "severity", "rendered_content"}
RENAMED = {
    "expectation_suite_name": "name",
    "expectation_type": "type",
    "evaluation_parameters": "suite_parameters",
    "ge_cloud_id": "id",
}
RUNTIME = {"batch_id", "result_format", "catch_exceptions"}
LISTS = ("value_set", "column_list", "column_set", "regex_list", "type_list", "value_pairs_set")
BOUNDED = re.compile(r"_to_be_between$")


def checked_head(path: Path, body: Any) -> dict[str, Any]:
    """The suite's own keys, checked."""
    if not isinstance(body, dict):
        raise ProjectError(path, "file", "a suite is a JSON object", 'start it with {"name": …')
    _refuse_unknown(path, "", body, HEAD)
    if body.get("name") != path.stem:
        problem = f"it is {body.get('name')!r}, the file is {path.name}"
        raise ProjectError(path, "name", problem, f'write "name": "{path.stem}"')
    if not isinstance(body.get("expectations"), list):
        raise ProjectError(path, "expectations", "a list is needed", 'write "expectations": []')
    for key in ("suite_parameters", "meta"):
        _object_or_none(path, key, body.get(key))
    _check_id(path, "id", body.get("id"))
    return body


def checked_entry(
    path: Path, number: int, entry: Any, known: Mapping[str, Known]
) -> dict[str, Any]:
    """One expectation of the file, checked."""
    where = f"expectations[{number}]"
    if not isinstance(entry, dict):
        raise ProjectError(path, where, "an expectation is an object", 'write {"type": …}')
    _refuse_unknown(path, f"{where}.", entry, ENTRY)
    kind = _known_type(path, f"{where}.type", entry.get("type"), known)
    where = f"{where} ({kind.type})"
    _check_id(path, f"{where}.id", entry.get("id"))
    _object_or_none(path, f"{where}.meta", entry.get("meta"))
    _check_severity(path, f"{where}.severity", entry.get("severity"))
    _check_text(path, f"{where}.description", entry.get("description"))
    _object_or_none(path, f"{where}.kwargs", entry.get("kwargs"))
    kwargs = entry.get("kwargs") or {}
    _check_kwargs(path, f"{where}.kwargs", kwargs, kind)
    return {**entry, "kwargs": kwargs}


def closest(word: str, words: Iterable[str]) -> str:
    """ "did you mean 'x'?", or nothing when nothing is near."""
    near = difflib.get_close_matches(word, list(words), n=1, cutoff=0.6)
    return f"did you mean {near[0]!r}?" if near else ""


def _refuse_unknown(path: Path, prefix: str, body: Mapping[str, Any], allowed: set[str]) -> None:
    for key in body:
        if key in RENAMED:
            problem = "this is the format before Great Expectations 1.0"
            raise ProjectError(path, prefix + key, problem, f"call it {RENAMED[key]!r}")
        if key not in allowed:
            repair = closest(key, allowed) or f"remove it; allowed: {', '.join(sorted(allowed))}"
            raise ProjectError(path, prefix + key, "this key is not known", repair)


def _known_type(path: Path, where: str, type_: Any, known: Mapping[str, Known]) -> Known:
    if not isinstance(type_, str) or type_ not in known:
        repair = closest(str(type_), known) or (
            f"use one of Great Expectations' types, or declare a class in {path.parent.name}/*.py"
        )
        raise ProjectError(path, where, f"there is no expectation type {type_!r}", repair)
    if not known[type_].on_dataframes:
        repair = "use a regex, or a custom expectation" if "like" in type_ else "remove it"
        raise ProjectError(path, where, f"{type_} runs on SQL only, not on a snapshot", repair)
    return known[type_]


def _object_or_none(path: Path, where: str, value: Any) -> None:
    if value is not None and not isinstance(value, dict):
        raise ProjectError(path, where, "an object is needed", "write {} or remove it")


def _check_id(path: Path, where: str, value: Any) -> None:
    if value is None:
        return
    try:
        UUID(str(value))
    except ValueError as error:
        raise ProjectError(path, where, f"{value!r} is not a UUID", "remove the id") from error


def _check_severity(path: Path, where: str, value: Any) -> None:
    allowed = [severity.value for severity in Severity]
    if value is not None and value not in allowed:
        repair = f"use one of {', '.join(allowed)}"
        raise ProjectError(path, where, f"{value!r} is no severity", repair)


def _check_text(path: Path, where: str, value: Any) -> None:
    if value is not None and not isinstance(value, str):
        raise ProjectError(path, where, "a text is needed", "write it in quotes")


def _check_kwargs(path: Path, where: str, kwargs: Mapping[str, Any], kind: Known) -> None:
    for name in sorted(kind.required):
        if kwargs.get(name) is None:
            raise ProjectError(path, f"{where}.{name}", "it is missing", f"add {name!r}")
    allowed = kind.required | kind.optional | RUNTIME
    for name, value in kwargs.items():
        if name not in allowed and not kind.open_kwargs:
            repair = closest(name, allowed) or f"remove it; allowed: {_listed(kind)}"
            raise ProjectError(path, f"{where}.{name}", "this kwarg is not known", repair)
        if not (isinstance(value, dict) and "$PARAMETER" in value):
            _check_value(path, f"{where}.{name}", name, value)
    if kind.file is None and BOUNDED.search(kind.type):
        _check_bounds(path, where, kwargs)
    if kind.type.endswith("_match_regex") and not kwargs.get("regex"):
        raise ProjectError(path, f"{where}.regex", "it is missing", "add 'regex'")


def _listed(kind: Known) -> str:
    return ", ".join(sorted(kind.required | kind.optional))


def _check_value(path: Path, where: str, name: str, value: Any) -> None:
    match name:
        case "column" | "column_A" | "column_B":
            if not isinstance(value, str) or not value:
                raise ProjectError(path, where, "a column's name is needed", "write a text")
        case "mostly" if value is not None:
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value <= 1:
                repair = "0.99 means 99 %"
                raise ProjectError(path, where, "a share above 0 and up to 1 is needed", repair)
        case _ if name in LISTS and value is not None:
            if not isinstance(value, list) or not value:
                # an empty set or list is passed by every row
                raise ProjectError(path, where, "a list with something in it is needed", "fill it")
            if name == "regex_list":
                for pattern in value:
                    _check_regex(path, where, pattern)
        case "min_value" | "max_value" if isinstance(value, int) and abs(value) > 2**53:
            problem = f"{value} is too large to be compared exactly"
            raise ProjectError(path, where, problem, f"use a bound up to {2**53}")
        case "regex":
            _check_regex(path, where, value)


def _check_regex(path: Path, where: str, pattern: Any) -> None:
    try:
        re.compile(pattern)
    except (re.error, TypeError) as error:
        problem = f"not a regular expression ({error})"
        raise ProjectError(path, where, problem, "correct it") from error


def _check_bounds(path: Path, where: str, kwargs: Mapping[str, Any]) -> None:
    low, high = kwargs.get("min_value"), kwargs.get("max_value")
    if "quantile_ranges" in kwargs:
        return
    if low is None and high is None:
        problem = "without a bound everything passes"
        raise ProjectError(path, where, problem, "add 'min_value' or 'max_value'")
    numbers = isinstance(low, (int, float)) and isinstance(high, (int, float))
    if numbers and low > high:  # type: ignore[operator]
        problem = f"min_value {low} is above max_value {high}"
        raise ProjectError(path, where, problem, "swap them")
