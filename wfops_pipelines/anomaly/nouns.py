"""What the scorer says of snapshots: profiles, scores and the findings that explain them.

A profile is made of whole-number counts and of sorted samples, so that it does not depend on the
order of the rows. Arrays are kept as little-endian bytes: no framework is needed to hold, store
or compare a profile.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from wfops_pipelines.core.findings import Json
from wfops_pipelines.errors import SnapshotDamaged

PROFILE_VERSION = 6
# 1: no null patterns, no ranks, 2: no decimals, 3: no spans, 4: no window, 5: no cells, no rules
_READABLE = (1, 2, 3, 4, 5, 6)
Kind: TypeAlias = Literal[  # docs/reviewing.md has what each is
    "schema",
    "duplicates",
    "volume",
    "missing",
    "numbers",
    "values",
    "text",
    "times",
    "relations",
    "gaps",
    "novelty",
]
Span: TypeAlias = tuple[int, bytes]  # rows, and seconds between two times as float64 points


@dataclass(frozen=True, slots=True)
class Sketch:
    """Counts of the things whose 64-bit hash is at most `bound` (all of them: 2**64 - 1).

    Two sketches cut at different bounds stay comparable below the smaller one (Cohen, Kaplan:
    bottom-k sketches, 2007). `keys` are sorted uint64, `counts` int64, of the same length.
    """

    keys: bytes
    counts: bytes
    bound: int

    def as_json(self) -> Json:
        return [b64encode(self.keys).decode(), b64encode(self.counts).decode(), self.bound]

    @classmethod
    def from_json(cls, body: list[Any]) -> Sketch:
        return cls(b64decode(body[0]), b64decode(body[1]), int(body[2]))


@dataclass(frozen=True, slots=True)
class ColumnProfile:
    """One column of one snapshot.

    `rows`, `nulls`, `low` and `high` are of all rows; `counts`, `points`, `lengths` and
    `sketches` are of the `sampled` rows. `kind` is number, time, flag, text or nested; `points`
    are sorted float64 values (numbers in their own unit, times in seconds since 1970 UTC),
    each standing for an equal share of the sampled values; `lengths` the same for characters.
    `cells` are 32-bit hashes of the values in the profile's `cell_rows`, one each.
    """

    name: str
    type: str
    kind: str
    rows: int
    nulls: int
    sampled: int
    counts: Mapping[str, int]
    low: float | None = None
    high: float | None = None
    points: bytes = b""
    lengths: bytes = b""
    sketches: Mapping[str, Sketch] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    cells: bytes = b""

    def as_json(self) -> dict[str, Json]:
        return {
            "name": self.name,
            "type": self.type,
            "kind": self.kind,
            "rows": self.rows,
            "nulls": self.nulls,
            "sampled": self.sampled,
            "counts": dict(self.counts),
            "low": self.low,
            "high": self.high,
            "points": b64encode(self.points).decode(),
            "lengths": b64encode(self.lengths).decode(),
            "sketches": {name: sketch.as_json() for name, sketch in self.sketches.items()},
            "labels": dict(self.labels),
            "cells": b64encode(self.cells).decode(),
        }

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> ColumnProfile:
        packed = {n: b64decode(body.get(n, "")) for n in ("points", "lengths", "cells")}
        sketches = {name: Sketch.from_json(value) for name, value in body["sketches"].items()}
        return cls(**{**body, **packed, "sketches": sketches})


@dataclass(frozen=True, slots=True)
class Profile:
    """What one snapshot looks like: a few kilobytes a column, whatever the number of rows.

    `duplicates` counts rows that occur earlier in the snapshot, `key_duplicates` the same for
    the key. `digest` identifies the content regardless of row order. `pairs` holds, for two
    comparable columns, how often both are there, the first is smaller, and they are equal;
    `ranks` their rank correlation (-1 to 1) and the rows it is of; `spans`, for two columns of
    times, the rows with both and the seconds from one to the other. `null_patterns` counts
    which columns are null together. `cell_rows` are the smallest hashes of rows, sorted uint64: of
    these rows the columns keep each cell, and `rules` tells which columns may be made of two others
    ("1 + 2 3": the fourth is the sum of the second and the third), of how many of these rows, and
    in how many it is true. `window` is the stretch of the cursor that the rows were extracted for
    (seconds since 1970 UTC), as far as it is known.
    """

    rows: int
    sampled: int
    duplicates: int
    key_duplicates: int
    digest: str
    columns: tuple[ColumnProfile, ...]
    row_sketch: Sketch
    pairs: Mapping[str, tuple[int, int, int]] = field(default_factory=dict)
    ranks: Mapping[str, tuple[float, int]] = field(default_factory=dict)
    spans: Mapping[str, Span] = field(default_factory=dict)
    null_patterns: Sketch | None = None
    cell_rows: bytes = b""
    rules: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    key: str | None = None
    cursor: str | None = None
    window: tuple[float | None, float | None] | None = None
    version: int = PROFILE_VERSION

    @property
    def schema(self) -> tuple[tuple[str, str], ...]:
        return tuple((column.name, column.type) for column in self.columns)

    def merge(self, other: Profile) -> Profile:
        """The profile of both sets of rows together, whichever of the two comes first.

        Counts add up exactly. What repeats across the two is estimated where one of them has more
        than 384 different keys, or 512 rows: few repeated keys among many may be missed. Distinct
        values are estimated, too, beyond 384, and quantiles beyond 512 values; and of parts that
        are samples (16,384 rows) more rows are measured than of the whole. So compare a merged
        profile with profiles that were merged of such parts, too, or profile all parts at once.

        Raises:
            SchemaRefused: the two have different columns, keys, cursors or versions.
        """
        from wfops_pipelines.anomaly._merge import merge

        return merge(self, other)

    def to_json(self) -> str:
        """A line of JSON; `Profile.from_json` gives an equal profile back."""
        return json.dumps(
            {
                "version": self.version,
                "rows": self.rows,
                "sampled": self.sampled,
                "duplicates": self.duplicates,
                "key_duplicates": self.key_duplicates,
                "digest": self.digest,
                "key": self.key,
                "cursor": self.cursor,
                "window": self.window,
                "pairs": {name: list(counts) for name, counts in self.pairs.items()},
                "ranks": {name: list(found) for name, found in self.ranks.items()},
                "spans": {n: [rows, b64encode(p).decode()] for n, (rows, p) in self.spans.items()},
                "row_sketch": self.row_sketch.as_json(),
                "null_patterns": self.null_patterns and self.null_patterns.as_json(),
                "cell_rows": b64encode(self.cell_rows).decode(),
                "rules": {name: list(held) for name, held in self.rules.items()},
                "columns": [column.as_json() for column in self.columns],
            },
            ensure_ascii=True,
            separators=(",", ":"),
        )

    @classmethod
    def from_json(cls, text: str | bytes) -> Profile:
        """The profile that `to_json` wrote.

        Raises:
            SnapshotDamaged: the text is no profile, or one of another version.
        """
        try:
            body = json.loads(text)
            if body["version"] not in _READABLE:
                raise SnapshotDamaged(f"profile version {body['version']}: profile it again")
            body["pairs"] = {name: tuple(counts) for name, counts in body["pairs"].items()}
            body["ranks"] = {name: tuple(found) for name, found in body.get("ranks", {}).items()}
            spans = body.get("spans", {}).items()
            body["spans"] = {name: (int(rows), b64decode(p)) for name, (rows, p) in spans}
            if body.get("window") is not None:
                start, end = body["window"]
                body["window"] = (start, end)
            body["row_sketch"] = Sketch.from_json(body["row_sketch"])
            body["cell_rows"] = b64decode(body.get("cell_rows", ""))
            body["rules"] = {name: (of, held) for name, (of, held) in body.get("rules", {}).items()}
            nulls = body.get("null_patterns")
            body["null_patterns"] = nulls and Sketch.from_json(nulls)
            body["columns"] = tuple(ColumnProfile.from_json(c) for c in body["columns"])
            return cls(**body)
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise SnapshotDamaged(f"not a profile ({error}): profile the snapshot again") from error


@dataclass(frozen=True, slots=True)
class SnapshotFinding:
    """One thing that is unusual about a snapshot.

    `column` is None for the snapshot as a whole. `kind` (a `Kind`) names the family of statistics,
    which a reviewer's decisions weigh up or down. `contribution` is the finding's part of the
    score, by its share of all evidence. At most the twelve strongest are listed, and none of less
    than half a decade, so that those listed add up to less than the score: the rest is of those
    that are not. A broken contract adds 30 to the score, all its own. `past` are the statistic's
    values in the last snapshots, oldest first, and in this one; empty where there is no number to
    show.
    """

    column: str | None
    statistic: str
    kind: str
    measured: Json
    expected: Json
    contribution: float
    sentence: str
    past: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class SnapshotScore:
    """The answer about one snapshot: `held` is `p_value <= false_holds`, or a broken contract.

    `p_value` is the share of normal snapshots expected to look at least this unusual; `score`
    grows with evidence; `basis` says in words how much history there was and which rule applied.
    """

    p_value: float
    held: bool
    score: float
    findings: tuple[SnapshotFinding, ...]
    basis: str
