"""Rules that no budget buys off: what breaks them is held whatever the history."""

from __future__ import annotations

from collections.abc import Sequence

from wfops_pipelines.anomaly._features import middle
from wfops_pipelines.anomaly.nouns import Profile, SnapshotFinding
from wfops_pipelines.core.findings import Json

BROKEN = 30.0


def broken(history: Sequence[Profile], new: Profile) -> list[SnapshotFinding]:
    """Findings for a changed schema, a replay, repeated keys and a snapshot that came empty."""
    return [*_schema(history, new), *_replay(history, new), *_keys(new), *_empty(history, new)]


def _finding(
    column: str | None, statistic: str, kind: str, measured: Json, expected: Json, sentence: str
) -> SnapshotFinding:
    return SnapshotFinding(column, statistic, kind, measured, expected, BROKEN, sentence)


def _schema(history: Sequence[Profile], new: Profile) -> list[SnapshotFinding]:
    names = [c.name for c in new.columns]
    twice = sorted({name for name in names if names.count(name) > 1})
    found = [
        _finding(
            n,
            "column",
            "schema",
            names.count(n),
            1,
            f"{n}: {names.count(n)} columns have this name",
        )
        for n in twice
    ]
    if not history:
        return found
    old = {c.name: c.type for c in history[-1].columns}
    now = {c.name: c.type for c in new.columns}
    for name in sorted(old.keys() - now.keys()):
        found.append(
            _finding(
                name,
                "column",
                "schema",
                "absent",
                old[name],
                f"{name}: the column is gone ({old[name]} until the last snapshot)",
            )
        )
    for name in sorted(now.keys() - old.keys()):
        found.append(
            _finding(
                name,
                "column",
                "schema",
                now[name],
                "absent",
                f"{name}: a new column ({now[name]}), in no earlier snapshot",
            )
        )
    return found + _types(old, now)


def _types(old: dict[str, str], now: dict[str, str]) -> list[SnapshotFinding]:
    return [
        _finding(
            n,
            "type",
            "schema",
            now[n],
            old[n],
            f"{n}: type {now[n]}, {old[n]} until the last snapshot",
        )
        for n in now
        if n in old and now[n] != old[n] and "null" not in (now[n], old[n])
    ]


def _replay(history: Sequence[Profile], new: Profile) -> list[SnapshotFinding]:
    digests = [p.digest for p in history if p.rows]
    if not new.rows or new.digest not in digests or len(set(digests)) < len(digests):
        return []
    back = len(history) - max(at for at, p in enumerate(history) if p.digest == new.digest)
    which = "the last snapshot" if back == 1 else f"the snapshot {back} before this one"
    said = f"all {new.rows:,} rows are exactly those of {which} (a replay?)"
    return [_finding(None, "replay", "duplicates", new.rows, 0, said)]


def _keys(new: Profile) -> list[SnapshotFinding]:
    if not new.key_duplicates:
        return []
    said = (
        f"{new.key}: {new.key_duplicates:,} of {new.rows:,} rows repeat a key that must be unique"
    )
    return [_finding(new.key, "repeated keys", "duplicates", new.key_duplicates, 0, said)]


def _empty(history: Sequence[Profile], new: Profile) -> list[SnapshotFinding]:
    if new.rows or not history or not all(p.rows for p in history):
        return []
    import numpy as np

    usual = int(middle(np.array([float(p.rows) for p in history])))
    said = (
        f"rows: the snapshot is empty, none of the last {len(history)} was (median {usual:,} rows)"
    )
    return [_finding(None, "rows", "volume", 0, usual, said)]
