"""A sync's suite of expectations, read from its file without Great Expectations.

    suite = read_suite(Path("expectations/crm_contacts.json"))
    [e.words for e in suite.expectations]   # ["email is never empty", …]

The file is Great Expectations' own format and is never written.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from wfops_pipelines.checks.conditions import condition_columns
from wfops_pipelines.checks.known import Known, known_types
from wfops_pipelines.checks.rules import checked_entry, checked_head, closest
from wfops_pipelines.checks.words import columns_named, in_words, short_name, slug
from wfops_pipelines.core.findings import Severity
from wfops_pipelines.errors import ProjectError, Tell, refuse

LEFT_TO_THE_EXAMINER = ("batch_id", "result_format", "catch_exceptions")
ABOUT_THE_TABLE = ("expect_table_", "expect_column_to_exist", "expect_column_type_to_be")
ABOUT_COLUMNS_THEMSELVES = ("expect_column_to_exist", "expect_table_columns_")


@dataclass(frozen=True, slots=True)
class Expectation:
    """One expectation of a suite.

    `name` is made of letters, digits and underscores and unique in the suite; it does not depend
    on the order of the file. `column` is the only column judged, or None; `columns` are all that
    it judges or filters by. `about_rows` tells whether a failure names rows, `custom` whether the
    type is the project's own. `number` is its place in the file.
    """

    name: str
    type: str
    kwargs: Mapping[str, Any]
    severity: Severity
    column: str | None
    words: str
    meta: Mapping[str, Any]
    columns: tuple[str, ...] = ()
    about_rows: bool = False
    custom: bool = False
    number: int = 0

    @property
    def about_values(self) -> bool:
        """Whether it judges the values of columns, so that without rows there is nothing to say."""
        about_table = self.type.startswith(ABOUT_THE_TABLE)
        return bool(columns_named(self.kwargs)) and not self.custom and not about_table


@dataclass(frozen=True, slots=True)
class Suite:
    """All expectations of one sync, in the order of the file.

    `digest` is the SHA-256 of the file and of the Python files that declare the custom types in
    use (`custom`). `parameters` are the file's own values for `$PARAMETER` thresholds.
    """

    name: str
    expectations: tuple[Expectation, ...]
    digest: str
    file: Path
    parameters: Mapping[str, Any] = field(default_factory=dict)
    custom: tuple[Path, ...] = ()


def read_suite(path: Path, tell: Tell = refuse) -> Suite:
    """The suite in `path`, whole and known to be well formed.

    `tell` gets what is wrong with one expectation, which is left out where it does not raise.

    Raises `ProjectError` (file, field, repair) for whatever Great Expectations would drop,
    misread or fail on later: a missing file, other JSON than a suite, a name that is not the
    file's, an unknown key, type, severity or kwarg, a missing kwarg, an expectation said twice.
    """
    raw = _bytes_of(path)
    body = checked_head(path, _parsed(path, raw))
    known = known_types(path.parent)
    entries: dict[int, dict[str, Any]] = {}
    for number, entry in enumerate(body["expectations"]):
        try:
            entries[number] = checked_entry(path, number, entry, known)
        except ProjectError as error:
            tell(error)
    _refuse_twins(path, entries)
    files = sorted({f for e in entries.values() if (f := known[e["type"]].file)})
    return Suite(
        name=body["name"],
        expectations=tuple(_named(path, entries, known)),
        digest=sha256(b"\0".join([raw, *(f.read_bytes() for f in files)])).hexdigest(),
        file=path,
        parameters=body.get("suite_parameters") or {},
        custom=tuple(files),
    )


def check_columns(suite: Suite, columns: Iterable[str]) -> None:
    """Raise `ProjectError` when an expectation is about a column that is not in `columns`."""
    for problem in unknown_columns(suite, columns):
        raise problem


def unknown_columns(suite: Suite, columns: Iterable[str]) -> Iterator[ProjectError]:
    """A `ProjectError` for each column that an expectation is about and that is not there."""
    columns = list(columns)
    for expectation in suite.expectations:
        about = () if expectation.type.startswith(ABOUT_COLUMNS_THEMSELVES) else expectation.columns
        for column in about:
            if column not in columns:
                yield ProjectError(
                    suite.file,
                    f"expectations[{expectation.number}] ({expectation.name})",
                    f"there is no column {column!r}",
                    closest(column, columns) or f"use one of {', '.join(columns)}",
                )


def _bytes_of(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ProjectError(
            path,
            "file",
            f"it cannot be read ({error.strerror})",
            f'write a suite: {{"name": "{path.stem}", "expectations": []}}',
        ) from error


def _parsed(path: Path, raw: bytes) -> Any:
    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        twice = [key for key, count in Counter(k for k, _ in items).items() if count > 1]
        if twice:
            raise ProjectError(path, twice[0], "this key is written twice", "remove one of them")
        return dict(items)

    def constant(name: str) -> Any:
        raise ProjectError(path, "JSON", f"{name} is not JSON", "use a number, or leave it out")

    try:
        text = raw.decode("utf-8-sig")
        body = json.loads(text, object_pairs_hook=pairs, parse_constant=constant)
        json.dumps(body, ensure_ascii=False).encode()  # an escaped half character is no text
    except UnicodeEncodeError as error:
        repair = "write the character itself"
        raise ProjectError(path, "JSON", "it holds half a character (\\ud…)", repair) from error
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise ProjectError(path, where, f"not JSON ({error.msg})", "correct this line") from error
    except (UnicodeDecodeError, RecursionError) as error:
        raise ProjectError(path, "file", "not JSON in UTF-8", "save it as UTF-8") from error
    return body


def _refuse_twins(path: Path, entries: Mapping[int, dict[str, Any]]) -> None:
    seen: dict[str, int] = {}
    for number, entry in entries.items():
        key = _canonical(entry)
        if key in seen:
            raise ProjectError(
                path,
                f"expectations[{number}]",
                f"it says the same as expectations[{seen[key]}]",
                "remove one of them",
            )
        seen[key] = number


def _named(
    path: Path, entries: Mapping[int, dict[str, Any]], known: Mapping[str, Known]
) -> Iterable[Expectation]:
    plain = [_plain_name(entry) for entry in entries.values()]
    for (number, entry), name in zip(entries.items(), plain, strict=True):
        if plain.count(name) > 1:
            if "name" in (entry.get("meta") or {}):
                where = f"expectations[{number}].meta.name"
                raise ProjectError(path, where, f"{name!r} is taken", "choose another name")
            name = f"{name}_{sha256(_canonical(entry).encode()).hexdigest()[:6]}"
        yield replace(_expectation(name, entry, known[entry["type"]]), number=number)


def _plain_name(entry: Mapping[str, Any]) -> str:
    chosen = (entry.get("meta") or {}).get("name")
    return slug(str(chosen)) if chosen else short_name(entry["type"], entry["kwargs"])


def _canonical(entry: Mapping[str, Any]) -> str:
    return json.dumps([entry["type"], entry["kwargs"]], sort_keys=True)


def _expectation(name: str, entry: Mapping[str, Any], known: Known) -> Expectation:
    kwargs = {k: v for k, v in entry["kwargs"].items() if k not in LEFT_TO_THE_EXAMINER}
    judged = columns_named(kwargs)
    return Expectation(
        name=name,
        type=entry["type"],
        kwargs=kwargs,
        severity=Severity(entry.get("severity") or "critical"),
        column=judged[0] if len(judged) == 1 else None,
        words=entry.get("description") or in_words(entry["type"], kwargs),
        meta=entry.get("meta") or {},
        columns=tuple(dict.fromkeys(judged + condition_columns(kwargs.get("row_condition")))),
        about_rows=known.about_rows,
        custom=known.file is not None,
    )
