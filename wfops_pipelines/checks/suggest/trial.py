"""Try proposals on snapshots that they were not made from, before anybody reads them."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wfops_pipelines.checks.suggest.propose import Entry, propose
from wfops_pipelines.checks.suite import Suite, read_suite
from wfops_pipelines.checks.words import columns_named
from wfops_pipelines.core.findings import Outcome

if TYPE_CHECKING:
    import pyarrow as pa

FEWEST = 8  # snapshots


@dataclass(frozen=True, slots=True)
class Trial:
    """What is proposed, made from all snapshots, and how the same rules did on unseen ones.

    Made from the oldest `fitted` snapshots, chosen on the next `chosen_on`, the proposals then
    judged `judged` later ones, of which `passed` met them all. `dropped`, in words, failed on one
    of those and is not proposed.
    """

    entries: tuple[Entry, ...]
    fitted: int
    chosen_on: int
    judged: int
    passed: int
    dropped: tuple[str, ...]


def enough(tables: Sequence[pa.Table]) -> bool:
    """Whether there is history to make proposals from, and to try them on."""
    return len(tables) >= FEWEST


def tried(tables: Sequence[pa.Table], *, key: str, masked: frozenset[str] = frozenset()) -> Trial:
    """Proposals from snapshots, oldest first; at least `FEWEST`."""
    fitted, chosen_on = len(tables) // 2, len(tables) // 4
    made = propose(tables[:fitted], key=key, masked=masked)
    unfit, _ = _judged(made, tables[fitted : fitted + chosen_on], key)
    chosen = [e for e in made if about(e) not in unfit]
    unseen = tables[fitted + chosen_on :]
    failed, passed = _judged(chosen, unseen, key)
    good = {about(e) for e in chosen} - failed.keys()
    final = [e for e in propose(tables, key=key, masked=masked) if about(e) in good]
    dropped = tuple(sorted({**unfit, **failed}.values()))
    return Trial(tuple(final), fitted, chosen_on, len(unseen), passed, dropped)


def about(entry: Entry) -> tuple[str, tuple[str, ...]]:
    """What an entry is about, whatever its thresholds: its type and its columns."""
    return str(entry["type"]), columns_named(entry["kwargs"])


def _judged(
    entries: Iterable[Entry], tables: Sequence[pa.Table], key: str
) -> tuple[dict[tuple[str, tuple[str, ...]], str], int]:
    """The entries that some table does not meet, in words; and how many tables meet them all."""
    from wfops_pipelines.checks.gx import run_suite

    suite = suite_of(entries)
    failed: dict[tuple[str, tuple[str, ...]], str] = {}
    passed = 0
    for table in tables:
        results = run_suite(suite, table, key=key)
        wrong = [
            e
            for e, r in zip(suite.expectations, results, strict=True)
            if r.outcome is not Outcome.PASSED
        ]
        failed |= {(e.type, columns_named(e.kwargs)): e.words for e in wrong}
        passed += not wrong
    return failed, passed


def suite_of(entries: Iterable[Entry]) -> Suite:
    """The suite that these entries make, read as every suite is."""
    body: dict[str, Any] = {"name": "suggested", "expectations": list(entries)}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "suggested.json")
        file.write_text(json.dumps(body), "utf-8")
        return read_suite(file)
