"""Suggest changes to a sync's suite from what was published: a diff, and how it did on trial."""

from __future__ import annotations

import difflib
import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wfops_pipelines.checks.suggest import Trial, amended, enough, entries_of, tried
from wfops_pipelines.checks.suggest.trial import about
from wfops_pipelines.checks.suite import Suite, read_suite
from wfops_pipelines.checks.words import columns_named, in_words
from wfops_pipelines.core.findings import Outcome
from wfops_pipelines.errors import WfopsError
from wfops_pipelines.examining.history import published_tables
from wfops_pipelines.project import Project
from wfops_pipelines.services import Services
from wfops_pipelines.sync import Sync

if TYPE_CHECKING:
    import pyarrow as pa

MOST_SNAPSHOTS = 60
_ALIKE = (  # one of these says enough about how a column's text looks
    "expect_column_values_to_be_in_set",
    "expect_column_distinct_values_to_be_in_set",
    "expect_column_values_to_match_regex",
    "expect_column_value_lengths_to_be_between",
)
Entry = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A diff against the suite's file (empty: nothing to change), and what to know about it.

    `remarks`: expectations of the suite that fail on published snapshots and cannot be widened.
    """

    file: Path
    diff: str
    added: tuple[str, ...]
    widened: tuple[str, ...]
    remarks: tuple[str, ...]
    trial: Trial
    masked: frozenset[str]

    @property
    def report(self) -> tuple[str, ...]:
        """What to tell the person who reads the diff."""
        return tuple(_report(self))


def suggest(sync: Sync, project: Project, services: Services) -> Suggestion:
    """Raises WfopsError while there are too few published snapshots. Writes nothing."""
    tables = _tables(sync, services)
    suite = project.suite(sync.name)
    masked = frozenset(sync.policy.masked)
    trial = tried(tables, key=sync.key, masked=masked)
    before = suite.file.read_text("utf-8")
    entries = entries_of(before)
    failing = _failing(suite, tables, sync.key)
    proposed = {about(e): e for e in trial.entries}
    changed = {
        i: _widened(entries[i], proposed[about(entries[i])])
        for i in failing
        if about(entries[i]) in proposed and _is_plain(entries[i])
    }
    added = [e for e in trial.entries if _is_news(e, entries)]
    after = amended(before, changed, added)
    _must_read(suite, after, entries, changed, added)
    return Suggestion(
        suite.file,
        _diff(suite.file, project.root, before, after),
        tuple(_words(e) for e in added),
        tuple(_words(e) for e in changed.values()),
        tuple(_remark(suite, i, n, len(tables)) for i, n in failing.items() if i not in changed),
        trial,
        masked,
    )


def _tables(sync: Sync, services: Services) -> list[pa.Table]:
    with services.engine.connect() as conn:
        found = published_tables(conn, sync, services, limit=MOST_SNAPSHOTS)
    # the first load holds everything at once: no measure for what comes later
    later = [t for seq, t in found if t.num_rows and not (seq == 1 and sync.cursor)]
    if not enough(later):
        raise WfopsError(
            f"{sync.name}: {len(later)} published snapshots (without a first load) are too few to "
            "suggest anything from. Ask again when there are 8."
        )
    return later


def _failing(suite: Suite, tables: Sequence[pa.Table], key: str) -> dict[int, int]:
    """Places of the suite's expectations that published snapshots do not meet, and how many."""
    from wfops_pipelines.checks.gx import run_suite

    found: dict[int, int] = {}
    for before, table in zip([None, *tables], tables, strict=False):
        rows = None if before is None else before.num_rows
        results = run_suite(suite, table, key=key, previous_rows=rows)
        for i, result in enumerate(results):
            if result.outcome is not Outcome.PASSED:
                found[i] = found.get(i, 0) + 1
    return found


def _is_plain(entry: Entry) -> bool:
    """Neither conditional nor with a threshold from elsewhere: a range can just be widened."""
    kwargs = entry["kwargs"]
    return "row_condition" not in kwargs and "$PARAMETER" not in json.dumps(kwargs)


def _widened(entry: Entry, proposal: Entry) -> Entry:
    return {**entry, "kwargs": {**entry["kwargs"], **proposal["kwargs"]}}


def _is_news(entry: Entry, entries: Sequence[Entry]) -> bool:
    known = {about(e) for e in entries}
    alike = {(type_, columns_named(entry["kwargs"])) for type_ in _ALIKE}
    return about(entry) not in known and not (about(entry) in alike and known & alike)


def _must_read(
    suite: Suite,
    after: str,
    entries: Sequence[Entry],
    changed: Mapping[int, Entry],
    added: Sequence[Entry],
) -> None:
    """The text must be read back as exactly what is meant. Raises WfopsError otherwise."""
    wanted = [changed.get(i, e) for i, e in enumerate(entries)] + list(added)
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, suite.file.name)
        for custom in suite.file.parent.glob("*.py"):
            shutil.copy(custom, folder)
        copy.write_text(after, "utf-8")
        if read_suite(copy) and entries_of(after) != wanted:
            lines = "\n".join(json.dumps(e, ensure_ascii=False) for e in added)
            raise WfopsError(f"{suite.file}: cannot be amended; add these by hand:\n{lines}")


def _diff(file: Path, root: Path, before: str, after: str) -> str:
    name = file.relative_to(root).as_posix() if file.is_relative_to(root) else file.name
    lines = difflib.unified_diff(
        before.splitlines(keepends=True), after.splitlines(keepends=True), f"a/{name}", f"b/{name}"
    )
    return "".join(
        line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines
    )


def _words(entry: Entry) -> str:
    return in_words(entry["type"], entry["kwargs"])


def _remark(suite: Suite, place: int, failed: int, of: int) -> str:
    words = suite.expectations[place].words
    return f"“{words}” fails on {failed} of {of} published snapshots; look at it yourself"


def _report(found: Suggestion) -> Iterator[str]:
    trial = found.trial
    share = trial.passed / trial.judged
    yield (
        f"made from {trial.fitted} published snapshots and chosen on the next {trial.chosen_on}, "
        f"the expectations then passed on {trial.passed} of {trial.judged} that they had not seen "
        f"({share:.0%})"
    )
    if share < 0.98:
        yield "that is less than 98 %: what failed there is left out, the rest deserves a look"
    for words in trial.dropped:
        yield f"not suggested, it failed on trial: {words}"
    yield from found.remarks
    if found.masked:
        columns = ", ".join(sorted(found.masked))
        yield f"no value of a masked column is suggested: {columns}"
