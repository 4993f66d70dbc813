"""Rules that no budget buys off: what breaks them is held whatever the history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from wfops_pipelines.anomaly._features import middle
from wfops_pipelines.anomaly.nouns import Profile, SnapshotFinding
from wfops_pipelines.core.findings import Json

BROKEN = 30.0
_TWICE, _USUAL = 2, 0.05  # a person who let one go has not said that they are usual


def broken(history: Sequence[Profile], new: Profile) -> list[SnapshotFinding]:
    """Findings for a changed schema, a replay, repeated keys and a snapshot that came empty."""
    return [*_schema(history, new), *_replay(history, new), *_keys(new), *_empty(history, new)]


def _finding(
    column: str | None, statistic: str, kind: str, measured: Json, expected: Json, sentence: str
) -> SnapshotFinding:
    return SnapshotFinding(column, statistic, kind, measured, expected, BROKEN, sentence)


def _schema(history: Sequence[Profile], new: Profile) -> list[SnapshotFinding]:
    names = [c.name for c in new.columns]
    found = [
        _column(name, names.count(name), 1, f"{names.count(name)} columns have this name")
        for name in sorted({name for name in names if names.count(name) > 1})
    ]
    if not history:
        return found
    past = [{c.name: c.type for c in p.columns} for p in history]
    now = {c.name: c.type for c in new.columns}
    for name in sorted(past[-1].keys() - now.keys()):
        was = past[-1][name]
        said = f"the column is gone ({was} until the last snapshot)"
        found.append(_column(name, "absent", was, said))
    for name in sorted(now.keys() - past[-1].keys()):
        found.append(_column(name, now[name], "absent", _came(past, name, now[name])))
    return found + _types(past, now)


def _column(name: str, measured: Json, expected: Json, said: str) -> SnapshotFinding:
    return _finding(name, "column", "schema", measured, expected, f"{name}: {said}")


def _came(past: Sequence[Mapping[str, str]], name: str, kind: str) -> str:
    back = _back([name in types for types in past])
    if back is None:
        return f"a new column ({kind}), in none of the snapshots it is compared with"
    return f"the column is there again ({kind}), last seen in {_which(back)}"


def _types(past: Sequence[Mapping[str, str]], now: Mapping[str, str]) -> list[SnapshotFinding]:
    """Columns of another type than the last that is known: of nulls alone, no type is."""
    found = []
    for name, kind in now.items():
        back = _back([types.get(name, "null") != "null" for types in past])
        was = kind if back is None else past[-back][name]
        if back is not None and kind not in ("null", was):
            said = f"{name}: type {kind}, {was} until {_which(back)}"
            found.append(_finding(name, "type", "schema", kind, was, said))
    return found


def _back(there: Sequence[bool]) -> int | None:
    """How many snapshots ago it was there last."""
    return next((back for back, yes in enumerate(reversed(there), 1) if yes), None)


def _which(back: int) -> str:
    return "the last snapshot" if back == 1 else f"the snapshot {back} before this one"


def _is_usual(times: int, of: int) -> bool:
    return times >= max(_TWICE, _USUAL * of)


def _replay(history: Sequence[Profile], new: Profile) -> list[SnapshotFinding]:
    back = _back([p.digest == new.digest for p in history])
    if not new.rows or back is None:
        return []
    digests = [p.digest for p in history if p.rows]
    before = [_back([d == one for d in digests[:at]]) for at, one in enumerate(digests)]
    same = digests[-1] == new.digest  # that nothing has changed is one thing, an old state another
    if _is_usual(sum(b is not None and (b == 1) == same for b in before), len(digests)):
        return []
    said = f"all {new.rows:,} rows are exactly those of {_which(back)} (a replay?)"
    return [_finding(None, "replay", "duplicates", new.rows, 0, said)]


def _keys(new: Profile) -> list[SnapshotFinding]:
    if new.key is not None and new.key not in [c.name for c in new.columns]:
        said = f"{new.key}: no column has the name of the key, so that repeated keys cannot be told"
        return [_finding(new.key, "key", "schema", "absent", new.key, said)]
    if not new.key_duplicates:
        return []
    said = (
        f"{new.key}: {new.key_duplicates:,} of {new.rows:,} rows repeat a key that must be unique"
    )
    return [_finding(new.key, "repeated keys", "duplicates", new.key_duplicates, 0, said)]


def _empty(history: Sequence[Profile], new: Profile) -> list[SnapshotFinding]:
    others = sum(not p.rows for p in history)
    if new.rows or others == len(history) or _is_usual(others, len(history)):
        return []
    import numpy as np

    usual = int(middle(np.array([float(p.rows) for p in history])))
    few = f"only {others}" if others else "none"
    said = (
        f"rows: the snapshot is empty, {few} of the last {len(history)} "
        f"{'were' if others > 1 else 'was'} (median {usual:,} rows)"
    )
    return [_finding(None, "rows", "volume", 0, usual, said)]
