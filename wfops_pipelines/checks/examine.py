"""What check results and schemas say, as findings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from difflib import SequenceMatcher
from types import MappingProxyType
from typing import TYPE_CHECKING

from wfops_pipelines.checks.keys import NO_KEY
from wfops_pipelines.core.findings import CheckResult, Finding, Outcome, Severity
from wfops_pipelines.core.kinds import alike

if TYPE_CHECKING:
    import pyarrow as pa

SCHEMA = "schema"


def findings_of(results: Iterable[CheckResult]) -> tuple[Finding, ...]:
    """One finding for each expectation that did not pass; an error weighs as critical."""
    return tuple(_finding(r) for r in results if r.outcome is not Outcome.PASSED)


def schema_drift(
    previous: pa.Schema | None,
    current: pa.Schema,
    because: Mapping[str, str] = MappingProxyType({}),
) -> tuple[Finding, ...]:
    """How the columns differ from the last published snapshot's; nothing for a first snapshot.

    Every difference is critical: the schema is a contract. A column that is gone while another of
    the same type came, with a similar name, is called renamed. `because`: by column, what is known
    of why its type is another one.
    """
    if previous is None:
        return ()
    before = {f.name: str(f.type) for f in previous}
    after = {f.name: str(f.type) for f in current}
    return tuple(_drift(before, after, because))


def _finding(result: CheckResult) -> Finding:
    error = result.outcome is Outcome.ERROR
    # rows that cannot all be named cannot be held one by one
    named = not error and NO_KEY not in result.failed_keys
    return Finding(
        check=f"expectation:{result.name}",
        severity=Severity.CRITICAL if error else result.severity,
        sentence=_sentence(result),
        column=result.column,
        measured=result.measured,
        expected=result.expected,
        keys=result.failed_keys if named else (),
        details={"rows": result.rows, "failed_rows": result.failed_rows},
    )


def _sentence(result: CheckResult) -> str:
    if result.outcome is Outcome.ERROR:
        return f"expected: {result.words}; it could not be told: {result.error}"
    if result.failed_rows:
        failed = f"{result.failed_rows:,} of {result.rows:,} rows fail"
        return f"expected: {result.words}; {failed}"
    return f"expected: {result.words}; measured: {result.measured}"


def _drift(
    before: dict[str, str], after: dict[str, str], because: Mapping[str, str]
) -> Iterator[Finding]:
    gone = [c for c in before if c not in after]
    new = [c for c in after if c not in before]
    renamed: dict[str, str] = {}
    for old in gone:
        free = [c for c in new if c not in renamed.values() and after[c] == before[old]]
        if name := _likely_new_name(old, free):
            renamed[old] = name
    for old, name in renamed.items():
        yield _critical(f"column {old} seems to be renamed to {name}", name, name, old)
    for column in (c for c in gone if c not in renamed):
        yield _critical(f"column {column} ({before[column]}) is gone", column, None, before[column])
    for column in (c for c in before if c in after and not alike(before[c], after[c])):
        was, now = before[column], after[column]
        said = f"column {column} changed its type from {was} to {now}"
        said += f": {because[column]}" if column in because else _because(was, now)
        yield _critical(said, column, now, was)
    for column in (c for c in new if c not in renamed.values()):
        yield _critical(f"column {column} ({after[column]}) is new", column, after[column], None)


def _because(was: str, now: str) -> str:
    """What the change comes from where it is a matter of values, and what makes it stop."""
    if was == "int64" and now.startswith(("double", "decimal")):
        return (
            ": fractions where there were whole numbers alone. Once this is approved, both are "
            "taken as they come"
        )
    if was in ("int64", "double") and now == "string":
        return (
            ": some value is no number. Once it is mended (in the sync's function or by an edit), "
            "the numbers are numbers again"
        )
    return ""


def _likely_new_name(old: str, candidates: list[str]) -> str | None:
    alike = [c for c in candidates if _similarity(old, c) >= 0.6]
    return max(alike, key=lambda c: _similarity(old, c), default=None)


def _similarity(one: str, other: str) -> float:
    return SequenceMatcher(None, one.lower(), other.lower()).ratio()


def _critical(sentence: str, column: str, measured: str | None, expected: str | None) -> Finding:
    return Finding(SCHEMA, Severity.CRITICAL, sentence, column, measured, expected)
